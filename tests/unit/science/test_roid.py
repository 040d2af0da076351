from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.science.roid import MODULE, RoidInputs, roid

JD = 2458451.75
MINUTES = 1 / 1440
FIRST = {
    "ndethist": 1,
    "nalerthist": 1,
    "sgscore1": 0.9,
    "distpsnr1": 12.0,
    "ssdistnr": -999.0,
    "jd": JD,
    "previous_jd": None,
}


def _roid(**changed: float | None) -> int:
    values = {**FIRST, **changed}
    return int(roid(RoidInputs(**{name: np.array([value], dtype=np.float64) for name, value in values.items()}))[0])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 1),
        ({"ndethist": 2}, 0),
        ({"sgscore1": 0.5}, 2),
        ({"sgscore1": 0.5, "ndethist": 2, "nalerthist": 2}, 2),
        ({"sgscore1": 0.5, "ndethist": 3}, 0),
        ({"sgscore1": float(np.float32(0.76))}, 1),
        ({"sgscore1": 0.5, "distpsnr1": 4.9}, 0),
        ({"sgscore1": 0.5, "distpsnr1": 5.0}, 2),
        ({"sgscore1": 0.5, "distpsnr1": -999.0}, 2),
        ({"sgscore1": 0.5, "ndethist": 2, "nalerthist": 2, "previous_jd": JD - 29 * MINUTES}, 2),
        ({"sgscore1": 0.5, "ndethist": 2, "nalerthist": 2, "previous_jd": JD - 31 * MINUTES}, 0),
        ({"sgscore1": 0.5, "ndethist": 2, "nalerthist": 1}, 0),
        ({"ssdistnr": 0.0}, 3),
        ({"ssdistnr": 4.9}, 3),
        ({"ssdistnr": 5.0}, 1),
        ({"ssdistnr": 3.0, "distpsnr1": 2.9}, 0),
        ({"ssdistnr": 3.0, "distpsnr1": -999.0}, 3),
        ({"ssdistnr": 3.0, "ndethist": 5, "nalerthist": 5}, 3),
        ({"ssdistnr": 3.0, "ndethist": 6}, 0),
        ({"ssdistnr": 3.0, "nalerthist": 6}, 1),
    ],
)
def test_each_step_applies_at_its_boundary(changed: dict[str, float], expected: int) -> None:
    assert _roid(**changed) == expected


@pytest.mark.parametrize(
    ("absent", "changed", "expected"),
    [
        ("ndethist", {"sgscore1": 0.5, "ssdistnr": 1.0}, 0),
        ("sgscore1", {}, 1),
        ("distpsnr1", {"ssdistnr": 1.0}, 1),
        ("ssdistnr", {"sgscore1": 0.5}, 2),
        ("jd", {"nalerthist": 2, "previous_jd": JD - 1}, 1),
        ("nalerthist", {"ssdistnr": 1.0}, 1),
    ],
)
def test_a_step_without_its_input_changes_nothing(absent: str, changed: dict[str, float], expected: int) -> None:
    assert _roid(**{**changed, absent: None}) == expected


def test_a_pair_is_measured_from_the_last_point_of_the_history_even_an_upper_limit() -> None:
    inputs = {
        "candidate.ndethist": [2],
        "nalerthist": [2],
        "candidate.sgscore1": [0.5],
        "candidate.distpsnr1": [12.0],
        "candidate.ssdistnr": [-999.0],
        "candidate.jd": [JD],
        "prv_candidates.jd": [np.array([JD - 1, JD - 10 * MINUTES])],
    }
    assert MODULE.function(*(pd.Series(inputs[path]) for path in MODULE.inputs)).tolist() == [2]


def _step_by_step(x: dict[str, float | None]) -> int:
    """Apply the rule to one alert, a null making its step false, without numpy."""

    def holds(names: str, test: object) -> bool:
        values = [x[name] for name in names.split()]
        return all(value is not None and value == value for value in values) and bool(test(*values))  # type: ignore[operator]

    flag = 0
    if holds("ndethist", lambda n: n == 1):
        flag = 1
    if holds("sgscore1 ndethist", lambda s, n: np.float32(s) < np.float32(0.76) and n <= 2):
        flag = 2
    if holds("distpsnr1", lambda d: 0 < d < 5):
        flag = 0
    if holds("nalerthist jd previous_jd", lambda n, now, before: n == 2 and now - before > 30 / 1440):
        flag = 0
    if holds("ndethist nalerthist", lambda n, a: n == 2 and a == 1):
        flag = 0
    near = holds("ssdistnr distpsnr1", lambda s, d: 0 <= s < 5 and abs(d) > s)
    if near and holds("ndethist nalerthist", lambda n, a: n <= 5 and a <= 5):
        flag = 3
    return flag


def _maybe(values: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    return st.none() | st.just(float("nan")) | values


ALERT = st.fixed_dictionaries(
    {
        "ndethist": _maybe(st.integers(0, 8).map(float)),
        "nalerthist": _maybe(st.integers(0, 8).map(float)),
        "sgscore1": _maybe(st.sampled_from([-999.0, 0.0, 0.5, float(np.float32(0.76)), 0.76, 1.0])),
        "distpsnr1": _maybe(st.sampled_from([-999.0, 0.0, 1.0, 4.999, 5.0, 29.0])),
        "ssdistnr": _maybe(st.sampled_from([-999.0, 0.0, 1.0, 4.999, 5.0, 40.0, 60.0])),
        "jd": _maybe(st.sampled_from([JD, JD + 29 * MINUTES, JD + 31 * MINUTES])),
        "previous_jd": _maybe(st.sampled_from([JD, JD - 1])),
    }
)


@given(st.lists(ALERT, max_size=20))
def test_a_table_gives_what_its_alerts_give_one_by_one(alerts: list[dict[str, float | None]]) -> None:
    columns = {name: np.array([alert[name] for alert in alerts], dtype=np.float64) for name in FIRST}
    assert roid(RoidInputs(**columns)).tolist() == [_step_by_step(alert) for alert in alerts]
