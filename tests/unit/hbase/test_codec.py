from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.hbase.codec import DECODERS, ENCODERS, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": TEXT,
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(
        min_value=dt.datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone, and none leaves the calendar
        max_value=dt.datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.timezones(),
    ),
}


@given(st.data(), st.sampled_from(sorted(VALUES)))
def test_every_value_reads_back_as_it_was(data: st.DataObject, kind: str) -> None:
    value = data.draw(VALUES[kind])
    read = decode(encode(value, kind), kind)
    # A time that its zone's clocks show twice equals none of another zone.
    assert read == (value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value)


@pytest.mark.parametrize(
    ("value", "kind", "cell"),
    [
        (1, "int", b"\x00\x00\x00\x01"),
        (-1, "bigint", b"\xff" * 8),
        (1.5, "float", b"\x3f\xc0\x00\x00"),
        (1.5, "double", b"\x3f\xf8" + b"\x00" * 6),
        ("é", "string", b"\xc3\xa9"),
        (True, "boolean", b"true"),
        (np.bool_(False), "boolean", b"false"),
        (np.int32(7), "bigint", b"\x00" * 7 + b"\x07"),
        (dt.datetime(2018, 11, 29, 1, 2, 3, tzinfo=dt.UTC), "timestamp", b"2018-11-29T01:02:03.000000Z"),
        (
            dt.datetime(2018, 11, 29, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=13))),
            "timestamp",
            b"2018-11-28T12:02:03.000000Z",
        ),
        (dt.date(2018, 11, 29), "date", b"2018-11-29"),
    ],
)
def test_cells_are_as_hbase_and_its_readers_expect(value: Any, kind: str, cell: bytes) -> None:
    assert encode(value, kind) == cell


def test_an_identifier_of_19_digits_keeps_every_digit() -> None:
    assert decode(encode(3367463101415010117, "bigint"), "bigint") == 3367463101415010117


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_null_is_an_empty_cell(kind: str) -> None:
    assert (encode(None, kind), decode(b"", kind)) == (b"", None)


def test_nan_stays_nan() -> None:
    assert np.isnan(decode(encode(float("nan"), "double"), "double"))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (3.367463101415010117e18, "bigint"),
        (1.0, "int"),
        (2**31, "int"),
        (1e39, "float"),
        (5, "string"),
        (b"x", "string"),
        ("true", "boolean"),
        ("2018-11-29", "timestamp"),
        (dt.datetime(2018, 11, 29), "timestamp"),  # noqa: DTZ001 - that is the point
    ],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: str) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError, struct.error)):
        encode(value, kind)


def test_what_can_be_written_can_be_read() -> None:
    assert ENCODERS.keys() == DECODERS.keys() == VALUES.keys()
