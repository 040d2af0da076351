from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.filters.apply import judge
from fink_dagster.filters.filter import ALONE, SHARED, WORKER, Filter
from fink_dagster.filters.registry import filters, get_filter
from fink_dagster.science.isolation import processes
from fink_dagster.science.module import Limits
from tests import harmful

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits(seconds=20, memory_mib=1024)


def _filter(name: str, predicate: Callable[..., Any], *inputs: str, process: str = WORKER) -> Filter:
    return Filter(name, inputs or ("x",), predicate, ".", "me", "1", LIMITS, process)


FRAME = pd.DataFrame({"x": [1, 2, 3]}, index=[7, 7, 9])


def _above_two(x: pd.Series) -> pd.Series:
    return x > 2


def test_each_alert_has_the_filters_it_passes_in_their_order() -> None:
    chosen = [_filter("b", lambda x: x > 1), _filter("a", lambda x: x > 2), _filter("c", lambda x: x < 0)]
    verdicts = judge(FRAME, chosen)
    assert (verdicts.passed, verdicts.failed) == ([[], ["b"], ["b", "a"]], [{}, {}, {}])


def test_the_real_filters_see_the_asteroid_flag() -> None:
    both = [get_filter("sso_fink_candidates"), get_filter("sso_ztf_candidates")]
    verdicts = judge(pd.DataFrame({"roid": pd.array([3, 2, None, 0], dtype="Int32")}), both)
    assert verdicts.passed == [["sso_ztf_candidates"], ["sso_fink_candidates"], [], []]
    assert verdicts.failed == [{}] * 4


@pytest.mark.parametrize("process", [WORKER, SHARED])
@pytest.mark.parametrize(
    "verdicts",
    [
        [True, None, np.nan],
        pd.array([True, None, False], dtype="boolean"),
        np.array([True, False, False]),
        pd.Series([True, False, False], index=[3, 2, 1]),
    ],
)
def test_a_null_does_not_pass_and_order_is_by_row(verdicts: Any, process: str) -> None:
    assert judge(FRAME, [_filter("a", lambda x: verdicts, process=process)]).passed == [["a"], [], []]


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        (lambda x: x.nonsense, "AttributeError: 'Series' object has no attribute 'nonsense'"),
        (lambda x: [True] * 4, "must give 3 verdicts; got 4"),
        (lambda x: x, "must give booleans; got int64"),
        (lambda x: x.astype(str), "must give booleans; "),
        (lambda x: None, "must give one boolean per alert; got NoneType"),
        (lambda x: True, "must give one boolean per alert; got bool"),
    ],
)
@pytest.mark.parametrize("process", [WORKER, SHARED])
def test_a_failing_filter_is_silent_and_silences_no_other(
    predicate: Callable[..., Any], reason: str, process: str
) -> None:
    verdicts = judge(FRAME, [_filter("bad", predicate, process=process), _filter("good", _above_two)])
    assert verdicts.passed == [[], [], ["good"]]
    assert [list(why) for why in verdicts.failed] == [["bad"]] * 3
    assert reason in verdicts.failed[0]["bad"]
    assert (verdicts.tallies["bad"].broken, verdicts.tallies["good"].broken) == (3, 0)


def test_an_alert_a_filter_cannot_judge_costs_no_other_its_verdict() -> None:
    def picky(x: pd.Series) -> pd.Series:
        if (x == 2).any():
            raise ValueError("not this one")
        return x > 0

    verdicts = judge(FRAME, [_filter("picky", picky)])
    assert verdicts.passed == [["picky"], [], ["picky"]]
    assert verdicts.failed == [{}, {"picky": "ValueError: not this one"}, {}]


def test_an_absent_column_is_the_reason() -> None:
    verdicts = judge(FRAME, [_filter("a", lambda y: y, "candidate.y")])
    assert verdicts.failed == [{"a": "needs 'candidate.y', and the alerts have no such column"}] * 3


def test_a_filter_called_like_a_column_is_no_input_of_another() -> None:
    verdicts = judge(FRAME, [_filter("x", lambda x: x < 0), _filter("y", _above_two)])
    assert verdicts.passed == [[], [], ["y"]]


def test_a_filter_that_writes_into_its_input_reaches_no_other() -> None:
    def spoil(x: pd.Series) -> pd.Series:
        x.iloc[:] = 0
        return x > 0

    assert judge(FRAME, [_filter("bad", spoil), _filter("good", _above_two)]).passed == [[], [], ["good"]]


def test_no_alerts_give_no_names() -> None:
    verdicts = judge(FRAME[:0], [_filter("a", _above_two), _filter("b", _above_two, process=SHARED)])
    assert (verdicts.passed, verdicts.failed) == ([], [])


def test_a_filter_that_is_switched_off_is_not_asked_and_says_so() -> None:
    verdicts = judge(FRAME, [_filter("a", harmful.exits), _filter("b", _above_two)], {"a": "off until noon"})
    assert verdicts.passed == [[], [], ["b"]]
    assert verdicts.failed == [{"a": "off until noon"}] * 3


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (harmful.exits, "its process ended with exit code 3"),
        (harmful.crashes, "its process ended with SIGSEGV"),
        (harmful.takes_8_gib, "MemoryError"),
    ],
)
def test_a_filter_that_harms_its_process_costs_itself_alone(harm: Callable[..., Any], reason: str) -> None:
    # By value: a process that had to import this file would hold all the platform has.
    good = _filter("good", lambda x: x > 2, process=ALONE)
    verdicts = judge(FRAME, [_filter("bad", harm, process=ALONE), good])
    assert verdicts.passed == [[], [], ["good"]]
    assert [list(why) for why in verdicts.failed] == [["bad"]] * 3
    assert reason in verdicts.failed[0]["bad"]
    processes().close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("harm", [harmful.sleeps, harmful.spins])
def test_a_filter_that_never_returns_is_stopped_and_told_late(harm: Callable[..., Any]) -> None:
    bad = Filter("bad", ("x",), harm, ".", "me", "1", Limits(seconds=1), ALONE)
    verdicts = judge(FRAME, [bad, _filter("good", _above_two)])
    assert verdicts.passed == [[], [], ["good"]]
    assert "took more than the 1 s it may" in verdicts.failed[0]["bad"]
    assert verdicts.tallies["bad"].late
    processes().close()


def test_all_filters_of_the_platform_are_quiet_where_nothing_is_known() -> None:
    paths = sorted({path for item in filters() for path in item.inputs})
    nothing = pd.DataFrame({path: pd.Series([None] * 3, dtype=object) for path in paths})
    verdicts = judge(nothing, filters())
    assert (verdicts.passed, verdicts.failed) == ([[], [], []], [{}, {}, {}])
