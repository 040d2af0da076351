from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.filters.apply import passing
from fink_dagster.filters.filter import Filter
from fink_dagster.filters.registry import filters

if TYPE_CHECKING:
    from collections.abc import Callable


def _filter(name: str, predicate: Callable[..., Any], *inputs: str) -> Filter:
    return Filter(name, inputs or ("x",), predicate, ".", "me", "1")


FRAME = pd.DataFrame({"x": [1, 2, 3]}, index=[7, 7, 9])


def test_each_alert_has_the_filters_it_passes_in_their_order() -> None:
    chosen = [_filter("b", lambda x: x > 1), _filter("a", lambda x: x > 2), _filter("c", lambda x: x < 0)]
    assert passing(FRAME, chosen) == ([[], ["b"], ["b", "a"]], {})


def test_the_real_filters_see_the_asteroid_flag() -> None:
    names, failed = passing(pd.DataFrame({"roid": pd.array([3, 2, None, 0], dtype="Int32")}), filters())
    assert names == [["sso_ztf_candidates"], ["sso_fink_candidates"], [], []]
    assert failed == {}


@pytest.mark.parametrize(
    "verdicts",
    [
        [True, None, np.nan],
        pd.array([True, None, False], dtype="boolean"),
        np.array([True, False, False]),
        pd.Series([True, False, False], index=[3, 2, 1]),
    ],
)
def test_a_null_does_not_pass_and_order_is_by_row(verdicts: Any) -> None:
    assert passing(FRAME, [_filter("a", lambda x: verdicts)]) == ([["a"], [], []], {})


@pytest.mark.parametrize(
    ("predicate", "reason"),
    [
        (lambda x: x.nonsense, "AttributeError"),
        (lambda x: x[:2] > 0, "must give 3 verdicts; got 2"),
        (lambda x: x, "must give booleans; got int64"),
        (lambda x: x.astype(str), "TypeError"),
        (lambda x: None, "got 0"),
    ],
)
def test_a_failing_filter_is_silent_and_silences_no_other(predicate: Callable[..., Any], reason: str) -> None:
    names, failed = passing(FRAME, [_filter("bad", predicate), _filter("good", lambda x: x > 2)])
    assert names == [[], [], ["good"]]
    assert list(failed) == ["bad"]
    assert reason in failed["bad"]


def test_an_absent_column_is_the_reason() -> None:
    _, failed = passing(FRAME, [_filter("a", lambda y: y, "candidate.y")])
    assert failed == {"a": "ValueError: needs 'candidate.y', and the alerts have no such column"}


def test_a_filter_that_writes_into_its_input_reaches_no_other() -> None:
    def spoil(x: pd.Series) -> pd.Series:
        x.iloc[:] = 0
        return x > 0

    assert passing(FRAME, [_filter("bad", spoil), _filter("good", lambda x: x > 2)])[0] == [[], [], ["good"]]


def test_no_alerts_give_no_names() -> None:
    assert passing(FRAME[:0], filters()[:0]) == ([], {})
