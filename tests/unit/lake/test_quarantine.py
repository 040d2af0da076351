from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import UserError
from fink_dagster.lake.quarantine import Selection, by_code, coordinate_of, followed
from tests.lake import FakeLakeReader

PLACES = st.builds(
    lambda topic, partition, offset: {"topic": topic, "partition": partition, "offset": offset},
    st.sampled_from("ab"),
    st.integers(0, 1),
    st.integers(0, 3),
)
MESSAGES = st.lists(
    st.builds(lambda place, code, night: {**place, "code": code, "night": night}, PLACES, *[st.sampled_from("xy")] * 2),
    unique_by=coordinate_of,
)
ALERTS = st.lists(st.builds(lambda place: {**place, "night": "z"}, PLACES), unique_by=coordinate_of)


def selected(reader: FakeLakeReader, **said: Any) -> list[dict[str, Any]]:
    return followed(reader, Selection(**said), "code", "night")  # type: ignore[arg-type]


@given(MESSAGES, ALERTS)
def test_a_message_counts_as_quarantined_only_while_raw_does_not_hold_it(
    kept: list[dict[str, Any]], alerts: list[dict[str, Any]]
) -> None:
    found = selected(FakeLakeReader(quarantine=kept, raw_alerts=alerts))
    assert sorted(map(coordinate_of, found)) == sorted(map(coordinate_of, kept))
    held = {coordinate_of(row) for row in alerts}
    assert all(row["redriven_to"] == ("z" if coordinate_of(row) in held else None) for row in found)


@given(MESSAGES, MESSAGES.filter(bool), st.sets(st.sampled_from(["night", "code"])), st.integers(0, 3))
def test_a_selection_is_what_fits_everything_that_is_said(
    kept: list[dict[str, Any]], like: list[dict[str, Any]], names: set[str], depth: int
) -> None:
    said = {name: like[0][name] for name in (*names, *("topic", "partition", "offset")[:depth])}
    fitting = [row for row in kept if all(row[name] == value for name, value in said.items())]
    assert [coordinate_of(row) for row in selected(FakeLakeReader(quarantine=kept), **said)] == [
        coordinate_of(row) for row in fitting
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"partition": 0}, "partition must be one of a topic"),
        ({"offset": 0, "topic": "a"}, "offset must be one of a partition"),
    ],
)
def test_half_a_coordinate_is_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        Selection(**said)


def test_a_selection_reads_as_what_was_said() -> None:
    assert str(Selection("2020-01-01", topic="a", partition=0)) == "night 2020-01-01, topic a, partition 0"
    assert str(Selection()) == "everything"


def test_messages_are_counted_by_code_in_order() -> None:
    assert by_code([{"code": "b"}, {"code": "a"}, {"code": "b"}]) == {"a": 1, "b": 2}


def test_a_lake_without_quarantine_has_no_messages() -> None:
    assert selected(FakeLakeReader()) == []
