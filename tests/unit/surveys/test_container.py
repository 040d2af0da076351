from __future__ import annotations

import io
import zlib
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import CorruptData
from fink_dagster.stages.decoding import read_whole
from fink_dagster.surveys import avro, container
from fink_dagster.surveys.container import AvroContainer
from tests.packets import encoded

SCHEMA = {
    "type": "record",
    "name": "small",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "points", "type": {"type": "array", "items": "float"}},
        {"name": "stamp", "type": "bytes"},
    ],
}
FRAMING = AvroContainer()
RECORD = {"id": 697251920015010010, "name": "ZTF18abc", "points": [1.0, 2.0], "stamp": b"\x00\xff" * 3}
RECORDS = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**63), 2**63 - 1),
        "name": st.none() | st.text(),
        "points": st.lists(st.floats(width=32, allow_nan=False), max_size=5),
        "stamp": st.binary(max_size=300),
    }
)
CODECS = pytest.mark.parametrize("codec", ["null", "deflate"])


def _decoded(message: bytes) -> Any:
    header = FRAMING.header(message)
    return read_whole(FRAMING.body(message, header), avro.by_place(header.schema))


def _refusal(message: bytes) -> str:
    with pytest.raises(CorruptData) as refused:
        _decoded(message)
    return refused.value.code


@given(RECORDS, st.sampled_from(["null", "deflate"]))
def test_what_fastavro_writes_reads_back(record: dict[str, Any], codec: str) -> None:
    message = encoded(SCHEMA, record, codec=codec)
    header = FRAMING.header(message)
    assert message.startswith(header.raw)
    assert header.compressed == (codec == "deflate")
    plain = io.BytesIO()
    fastavro.schemaless_writer(plain, SCHEMA, record)
    assert FRAMING.body(message, header) == plain.getvalue()
    assert _decoded(message) == record


@CODECS
def test_a_message_cut_at_any_byte_is_corrupt_data(codec: str) -> None:
    message = encoded(SCHEMA, RECORD, codec=codec)
    codes = {_refusal(message[:end]) for end in range(len(message))}
    assert codes <= {"empty", "not_a_container", "truncated", "codec", "schema"}


@CODECS
@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_a_damaged_byte_is_corrupt_data_or_another_value_and_nothing_else(codec: str, bits: int) -> None:
    message = encoded(SCHEMA, RECORD, codec=codec)
    for place in range(len(message)):
        damaged = bytearray(message)
        damaged[place] ^= bits
        try:
            _decoded(bytes(damaged))
        except CorruptData:
            continue


@given(st.binary(max_size=200))
def test_noise_after_the_magic_is_corrupt_data(noise: bytes) -> None:
    assert _refusal(b"Obj\x01" + noise)


@CODECS
def test_bytes_after_the_block_are_trailing(codec: str) -> None:
    assert _refusal(encoded(SCHEMA, RECORD, codec=codec) + b"\x00") == "trailing_bytes"


@pytest.mark.parametrize("number", [0, 2, 3])
def test_a_container_without_exactly_one_record_is_refused(number: int) -> None:
    assert _refusal(encoded(SCHEMA, *[RECORD] * number)) in {"not_one_record", "truncated"}


def test_a_sync_marker_of_another_container_is_refused() -> None:
    message = encoded(SCHEMA, RECORD)
    assert _refusal(message[:-16] + bytes(16)) == "sync_marker"


def _with_block(block: bytes) -> bytes:
    """Return a deflate container around any block."""
    header = FRAMING.header(encoded(SCHEMA, RECORD, codec="deflate")).raw
    size = io.BytesIO()
    fastavro.schemaless_writer(size, "bytes", block)
    return header + b"s" * 16 + b"\x02" + size.getvalue() + b"s" * 16


def _deflated(plain: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(plain) + deflater.flush()


@pytest.mark.parametrize("beyond", [1, 100, 50_000_000])
def test_a_bomb_ends_at_the_limit(beyond: int) -> None:
    assert _refusal(_with_block(_deflated(bytes(container.MAX_BODY_BYTES + beyond)))) == "too_large"


def test_a_block_must_end_with_its_deflated_data_but_for_a_checksum() -> None:
    plain = io.BytesIO()
    fastavro.schemaless_writer(plain, SCHEMA, RECORD)
    whole = _deflated(plain.getvalue())
    assert _decoded(_with_block(whole)) == _decoded(_with_block(whole + b"\x01\x02\x03\x04")) == RECORD
    assert _refusal(_with_block(whole + b"one more")) == "trailing_bytes"
    assert _refusal(_with_block(whole[:-1])) == "truncated"


@pytest.mark.parametrize("codec", [b"snappy", b"", b"\xff"])
def test_another_codec_is_named(codec: bytes) -> None:
    message = encoded(SCHEMA, RECORD, codec="deflate")
    at = message.index(b"deflate")
    other = message[: at - 1] + bytes([2 * len(codec)]) + codec + message[at + 7 :]
    assert _refusal(other) == "codec"
