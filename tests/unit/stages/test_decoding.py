from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import CorruptData
from fink_dagster.stages.decoding import PythonDecoder, WriterSchema, merged_schema, read_whole
from fink_dagster.surveys import avro
from fink_dagster.surveys.ztf import JD_OF_1970, ZTF
from tests.packets import changed, decoded, encoded, with_new_field
from tests.toy import Toy, toy_message

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 1_000_000
TOY = PythonDecoder(Toy(), merged_schema(Toy(), ()), MAX_BYTES)


@pytest.fixture
def ztf() -> PythonDecoder:
    return PythonDecoder(ZTF(), merged_schema(ZTF(), ()), MAX_BYTES)


def _read(decoder: PythonDecoder, message: bytes) -> Any:
    body, _ = decoder.decode(message)
    return fastavro.schemaless_reader(io.BytesIO(body), decoder.reader)


def _refusal(decoder: PythonDecoder, message: bytes) -> str:
    with pytest.raises(CorruptData) as refused:
        decoder.decode(message)
    return refused.value.code


NAMES = st.text(min_size=1, max_size=20)


@given(st.integers(-(2**63), 2**63 - 1), NAMES, st.none() | st.floats(width=32, allow_nan=False))
def test_a_toy_alert_comes_back_as_it_was_sent(source: int, name: str, quality: float | None) -> None:
    message = toy_message(sourceId=source, objectName=name, quality=quality)
    assert _read(TOY, message) == {"sourceId": source, "objectName": name, "mjd": 60000.0, "quality": quality}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", "not_toy"),
        (b"TOY2" + toy_message(sourceId=1)[4:], "not_toy"),
        (toy_message(sourceId=1)[:-1], "avro"),
        (b"TOY1", "avro"),
        (toy_message(sourceId=1) + b"\x00", "trailing_bytes"),
        (toy_message(sourceId=1) + bytes(MAX_BYTES), "too_large"),
        (toy_message(sourceId=1, mjd=float("nan")), "night"),
        (toy_message(sourceId=1, mjd=0.0), "night"),
        (toy_message(sourceId=1, mjd=1e9), "night"),
    ],
)
def test_a_message_that_is_no_alert_has_a_code(message: bytes, code: str) -> None:
    assert _refusal(TOY, message) == code


@given(st.binary(max_size=100))
def test_noise_is_an_alert_or_corrupt_data(noise: bytes) -> None:
    try:
        TOY.decode(b"TOY1" + noise)
    except CorruptData as error:
        assert error.code in {"avro", "trailing_bytes", "night"}  # noqa: PT017 - some noise is an alert


def _of(alert: Any, record: Any) -> Any:
    """Return the part of an alert a record has fields for."""
    if isinstance(record, dict):
        return {name: _of(alert[name], value) for name, value in record.items()}
    if isinstance(record, list):
        return [_of(*pair) for pair in zip(alert, record, strict=True)]
    return alert


def test_a_packet_comes_back_field_by_field(ztf: PythonDecoder, packets: list[bytes]) -> None:
    for packet in packets[:5]:
        _, record = decoded(packet)
        alert = _read(ztf, packet)
        assert _of(alert, record) == record


def test_a_compressed_packet_is_the_same_alert(ztf: PythonDecoder, packets: list[bytes]) -> None:
    schema, record = decoded(packets[0])
    compressed = encoded(schema, record, codec="deflate")
    assert ztf.decode(compressed) == ztf.decode(packets[0])


def _null(path: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that makes a field nullable in the schema, and null."""

    def change(schema: dict[str, Any], record: dict[str, Any]) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            schema = next(field for field in schema["fields"] if field["name"] == parent)["type"]
            record = record[parent]
        field = next(field for field in schema["fields"] if field["name"] == name)
        field["type"] = ["null", field["type"]]
        record[name] = None

    return change


@pytest.mark.parametrize("path", ZTF.never_null)
def test_a_packet_without_a_value_it_needs_is_missing_it(ztf: PythonDecoder, packets: list[bytes], path: str) -> None:
    schema, record = decoded(packets[0])
    schema = copy.deepcopy(schema)
    _null(path)(schema, record)
    assert _refusal(ztf, encoded(schema, record)) == "missing_value"


def test_an_alert_of_an_object_without_a_name_is_missing_it(ztf: PythonDecoder, packets: list[bytes]) -> None:
    schema, record = decoded(packets[0])
    assert _refusal(ztf, encoded(schema, {**record, "objectId": ""})) == "missing_value"


@pytest.mark.parametrize("path", ZTF.required)
def test_a_record_without_a_field_that_makes_it_an_alert_is_of_another_survey(
    ztf: PythonDecoder, packets: list[bytes], path: str
) -> None:
    schema, record = decoded(packets[0])
    schema = copy.deepcopy(schema)
    inner, within = schema, record
    *parents, name = path.split(".")
    for parent in parents:
        inner, within = next(f for f in inner["fields"] if f["name"] == parent)["type"], within[parent]
    inner["fields"] = [field for field in inner["fields"] if field["name"] != name]
    del within[name]
    assert _refusal(ztf, encoded(schema, record)) == "other_survey"


def test_a_field_of_another_type_is_a_conflict(ztf: PythonDecoder, packets: list[bytes]) -> None:
    schema, record = decoded(packets[0])
    schema = copy.deepcopy(schema)
    next(field for field in schema["fields"] if field["name"] == "candid")["type"] = "string"
    record["candid"] = "1"
    assert _refusal(ztf, encoded(schema, record)) == "schema_conflict"


def test_a_time_beyond_all_nights_is_refused(ztf: PythonDecoder, packets: list[bytes]) -> None:
    def change(record: dict[str, Any]) -> None:
        record["candidate"]["jd"] = JD_OF_1970 - 1

    assert _refusal(ztf, changed(packets[0], change)) == "night"


def test_a_new_field_is_kept_when_the_reader_has_learned_it(packets: list[bytes]) -> None:
    packet = with_new_field(packets[0], "brightness", 2.5)
    writer = WriterSchema.of(ZTF.framing.header(packet), ZTF(), frozenset())
    decoder = PythonDecoder(ZTF(), merged_schema(ZTF(), [writer]), MAX_BYTES)
    assert _read(decoder, packet)["candidate"]["brightness"] == 2.5
    assert _read(decoder, packets[0])["candidate"]["brightness"] is None


def test_alerts_of_one_writer_have_one_fingerprint(ztf: PythonDecoder, packets: list[bytes]) -> None:
    assert len({ztf.decode(packet)[1] for packet in packets[:5]}) == 1
    assert ztf.decode(with_new_field(packets[0], "more", 1.0))[1] != ztf.decode(packets[0])[1]


SCALARS = st.sampled_from(["int", "string", "bytes", "double"])
KINDS = st.recursive(SCALARS, lambda inner: inner.map(lambda kind: {"type": "array", "items": kind}))


@given(KINDS, st.binary(max_size=60))
def test_any_bytes_are_read_whole_or_are_corrupt_data(kind: Any, body: bytes) -> None:
    writer = avro.by_place({"type": "record", "name": "r", "fields": [{"name": "a", "type": kind}]})
    try:
        record = read_whole(body, writer)
    except CorruptData as error:
        assert error.code in {"avro", "trailing_bytes"}  # noqa: PT017 - some bytes are a record
    else:
        assert set(record) == {"a"}


def test_what_follows_a_record_is_not_passed_over() -> None:
    with pytest.raises(CorruptData, match="2 bytes follow"):
        read_whole(b"\x02xx", avro.by_place({"type": "record", "name": "r", "fields": [{"name": "a", "type": "int"}]}))
