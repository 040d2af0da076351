"""What is read back of trials, decisions and failures."""

from __future__ import annotations

from typing import Any

from fink_dagster.filters.activation import Decision
from fink_dagster.filters.trial import Trial
from fink_dagster.lake.filters import Failures, decisions_in, failures_in, trials_in
from tests.lake import FakeLakeReader

TRIAL = {"filter": "faint", "version": "1", "night": "2018-08-19", "alerts": 20, "passed": 1, "failed": 0, "error": ""}


def _tried(at: int, **others: Any) -> dict[str, Any]:
    return {"tried_at": at, "examples": [1], **TRIAL, **others}


def _failed(at: int, failed: int, error: str, **others: Any) -> dict[str, Any]:
    return {
        "failed_at": at,
        "night": "2018-08-19",
        "filter": "faint",
        "version": "1",
        "failed": failed,
        "error": error,
    } | others


def test_of_two_trials_of_a_night_the_newer_counts() -> None:
    rows = [_tried(3, passed=7), _tried(1), _tried(2, night="2018-11-29"), _tried(4, version="2", examples=None)]
    assert trials_in(FakeLakeReader(filter_trials=rows)) == [
        Trial("faint", "1", "2018-11-29", 20, 1, 0, "", (1,)),
        Trial("faint", "1", "2018-08-19", 20, 7, 0, "", (1,)),
        Trial("faint", "2", "2018-08-19", 20, 1, 0, "", ()),
    ]


def test_decisions_come_oldest_first() -> None:
    row = {"filter": "faint", "version": "1", "share_limit": 0.1, "why": "because"}
    rows = [{"changed_at": 2, "state": "inactive", **row}, {"changed_at": 1, "state": "active", **row}]
    assert decisions_in(FakeLakeReader(filter_states=rows)) == [
        Decision("faint", "1", "active", 0.1, "because"),
        Decision("faint", "1", "inactive", 0.1, "because"),
    ]


def test_failures_are_added_up_and_the_newest_says_why() -> None:
    rows = [_failed(2, 3, "new"), _failed(1, 4, "old"), _failed(3, 1, "other night", night="2018-11-29")]
    reader = FakeLakeReader(filter_errors=[*rows, _failed(1, 9, "old version", version="0")])
    assert failures_in(reader, "2018-08-19") == {
        ("faint", "1"): Failures(7, "new", "2018-08-19"),
        ("faint", "0"): Failures(9, "old version", "2018-08-19"),
    }
    assert failures_in(reader)["faint", "1"] == Failures(8, "other night", "2018-11-29")


def test_a_lake_that_knows_nothing_of_filters_has_no_tables_of_them() -> None:
    reader = FakeLakeReader()
    assert (trials_in(reader), decisions_in(reader), failures_in(reader)) == ([], [], {})
