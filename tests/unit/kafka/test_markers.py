from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import OperationError
from fink_dagster.kafka.markers import MARKER_BYTES, Sent, marks, unmark

CANDIDS = st.integers(0, 2**63 - 1)
SENT = st.builds(Sent, st.text(max_size=41), CANDIDS, st.text(max_size=60), st.integers(0, 99), CANDIDS)


class Marker:
    """A message as librdkafka hands it over, with only what is asked of it."""

    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def value(self) -> bytes | None:
        return self._value

    def topic(self) -> str:
        return "markers"

    def offset(self) -> int:
        return 5


def _read(values: list[bytes]) -> list[Sent]:
    return [sent for value in values for sent in unmark(Marker(value))]  # type: ignore[arg-type]


@given(st.text(max_size=80), st.lists(SENT, max_size=50))
def test_markers_read_back_as_what_was_sent(batch: str, sent: list[Sent]) -> None:
    assert _read(list(marks(batch, sent))) == sent


def test_markers_are_chunked_below_their_limit_and_hold_every_entry_once() -> None:
    sent = [Sent("sso_ztf_candidates", 3367463101415010117 + n, "t" * 100, n % 10, n) for n in range(20_000)]
    values = list(marks("2018-11-29/12", sent))
    assert len(values) > 1
    assert max(map(len, values)) <= MARKER_BYTES
    assert {json.loads(value)["batch"] for value in values} == {"2018-11-29/12"}
    assert _read(values) == sent


def test_a_candid_of_19_digits_keeps_every_digit() -> None:
    (value,) = marks("b", [Sent("f", 3367463101415010117, "t", 0, 0), Sent("f", np.int64(2**63 - 1), "t", 0, 1)])  # type: ignore[arg-type]
    assert b"3367463101415010117" in value
    assert [sent.candid for sent in _read([value])] == [3367463101415010117, 9223372036854775807]


def test_a_candid_that_was_a_float_is_refused() -> None:
    with pytest.raises(TypeError):
        list(marks("b", [Sent("f", 3.367463101415010117e18, "t", 0, 0)]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[]", b"{}", b'{"sent":[[1]]}', b'{"sent":[["f",1.5,"t",0,0]]}', b'{"sent":3}']
)
def test_something_else_than_a_marker_is_named_by_its_place(value: bytes | None) -> None:
    with pytest.raises(OperationError, match="topic markers offset 5: must be a marker"):
        _read([value])  # type: ignore[list-item]
