"""What speaks for a filter: it was tried, it never failed, and it passes no more than it is meant to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.filters.filter import Filter
from fink_dagster.filters.trial import Trial, fault_in, together

LIMIT = 0.05


def _faint(version: str = "2") -> Filter:
    return Filter("faint", ("x",), lambda x: x > 0, "Faint alerts", "me", version)


def _tried(passed: int, alerts: int = 100, *, version: str = "2", night: str = "2018-08-19", failed: int = 0) -> Trial:
    return Trial("faint", version, night, alerts, passed, failed, "KeyError: 'x'" if failed else "")


def test_a_filter_that_was_tried_and_passes_few_may_be_activated() -> None:
    assert fault_in(_faint(), [_tried(5)], LIMIT) == ""


@pytest.mark.parametrize(
    ("trials", "why"),
    [
        ([], "must have been tried on a night; got no trial; run `fink-dagster filters try faint --nights A..B`"),
        ([_tried(1, version="1")], "got trials of version 1 alone;"),
        ([Trial("other", "2", "2018-08-19", 100, 1, 0)], "got no trial;"),
        ([_tried(0, 0)], "must have been tried on a night"),
        (
            [_tried(1), _tried(1, night="2018-11-29", failed=3)],
            "must fail on no alert it is tried on; got 3 of 100 of night 2018-11-29: KeyError: 'x'; correct it",
        ),
        (
            [_tried(6)],
            "must pass at most 5.00% of the alerts; got 6.00%, 6 of 100 on one night; narrow it, or give --limit",
        ),
        ([_tried(100, 100), _tried(0, 900, night="2018-11-29")], "got 10.00%, 100 of 1000 on 2 nights"),
    ],
)
def test_a_filter_that_nothing_speaks_for_is_refused_with_the_way_out(trials: list[Trial], why: str) -> None:
    fault = fault_in(_faint(), trials, LIMIT)
    assert why in fault
    assert len(fault.splitlines()) == 1


def test_the_share_is_that_of_all_nights_together() -> None:
    trials = [_tried(10, 100), _tried(0, 100, night="2018-11-29")]
    assert fault_in(_faint(), trials, LIMIT) == ""
    assert together(trials) == (10, 200)


@given(st.integers(1, 10_000), st.data())
def test_a_share_that_is_the_limit_to_the_alert_is_admitted_and_one_alert_more_is_not(
    alerts: int, data: st.DataObject
) -> None:
    passed = data.draw(st.integers(0, alerts - 1))
    limit = passed / alerts
    assert fault_in(_faint(), [_tried(passed, alerts)], limit) == ""
    assert "must pass at most" in fault_in(_faint(), [_tried(passed + 1, alerts)], limit)


def test_a_night_without_alerts_has_no_share() -> None:
    assert _tried(0, 0).share == 0.0
    assert _tried(1, 4).share == 0.25
