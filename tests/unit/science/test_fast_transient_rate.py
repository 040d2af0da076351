from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.science.fast_transient_rate import DRAWS, MODULE, History, Point, Rate, last_point, magnitude_rate
from fink_dagster.science.run import run_modules

JD = 2458451.75
CANDID = 1234567890123456789
G, R, I_BAND = 1, 2, 3
MAG = 2.5 / np.log(10)
TIMES = ["jd_first_real_det", "jdstarthist_dt"]
RATES = ["mag_rate", "sigma_rate", "lower_rate", "upper_rate", "delta_time"]
NOW = {
    "candid": CANDID,
    "candidate.jd": JD,
    "candidate.jdstarthist": JD - 10,
    "candidate.fid": R,
    "candidate.magpsf": 18.0,
    "candidate.sigmapsf": 0.1,
}
PINNED_DETECTED = [-0.50263460, 0.09058517, -0.65568219, -0.35911181]
PINNED_LIMIT = [-1.78870391, 0.55220421, -2.88880980, -1.26440820]
# Band, days before the alert, magnitude, its error, limit.
DETECTED, LIMIT = (R, 2.0, 19.0, 0.15, 20.5), (R, 2.0, None, None, 20.5)


def _alert(*points: tuple[Any, ...], **changed: Any) -> dict[str, Any]:
    band, ago, magnitude, error, limit = ([point[i] for point in points] for i in range(5))
    history = {"jd": [JD - days for days in ago], "fid": band}
    history |= {"magpsf": magnitude, "sigmapsf": error, "diffmaglim": limit}
    arrays = {f"prv_candidates.{name}": np.array(values, dtype=object) for name, values in history.items()}
    return {**NOW, **arrays, **{f"candidate.{name}": value for name, value in changed.items()}}


def _table(*alerts: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame({path: pd.Series([alert[path] for alert in alerts], dtype=object) for path in MODULE.inputs})
    ran = run_modules(frame.astype({"candid": "int64"}), [MODULE])
    assert ran.failures == {}
    return ran.columns


def _row(*points: tuple[Any, ...], **changed: Any) -> dict[str, Any]:
    return {str(name): cells[0] for name, cells in _table(_alert(*points, **changed)).items()}


def _rate(now: Point, before: Point, seed: int = CANDID) -> Rate:
    found = magnitude_rate(now, before, seed)
    assert found is not None
    return found


def _moments(error: float) -> tuple[float, float]:
    """Return mean and variance of the magnitude of a flux with a Gaussian error, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    usable = 1 + error / MAG * nodes > 0
    shifts = -MAG * np.log(1 + error / MAG * nodes[usable])
    weights = weights[usable] / weights[usable].sum()
    mean = float(shifts @ weights)
    return mean, float((shifts - mean) ** 2 @ weights)


@pytest.mark.parametrize(("error", "error_before"), [(0.01, 0.02), (0.1, 0.05), (0.15, 0.15)])
def test_between_detections_the_rate_is_that_of_gaussian_fluxes(error: float, error_before: float) -> None:
    rate = _rate(Point(JD, 18.0, error), Point(JD - 2, 19.0, error_before))
    (shift, variance), (shift_before, variance_before) = _moments(error), _moments(error_before)
    deviation = np.sqrt(variance + variance_before) / 2
    assert rate.mag_rate == pytest.approx((-1.0 + shift - shift_before) / 2, abs=5 * deviation / np.sqrt(DRAWS))
    assert rate.sigma_rate == pytest.approx(deviation, rel=0.05)
    assert (rate.delta_time, rate.from_upper) == (2.0, False)


def test_percentiles_of_small_errors_are_those_of_a_gaussian() -> None:
    rate = _rate(Point(JD, 18.0, 0.03), Point(JD - 0.5, 19.0, 0.04))
    assert rate.lower_rate == pytest.approx((-1.0 - 1.6449 * 0.05) / 0.5, abs=0.01)
    assert rate.upper_rate == pytest.approx((-1.0 + 1.6449 * 0.05) / 0.5, abs=0.01)


def test_a_limit_stands_for_any_flux_below_it() -> None:
    rate = _rate(Point(JD, 18.0, 0.0), Point(JD - 2, np.nan, np.nan, 20.0))
    assert rate.mag_rate == pytest.approx((-2.0 - MAG) / 2, abs=5 * MAG / 2 / np.sqrt(DRAWS))
    assert rate.sigma_rate == pytest.approx(MAG / 2, rel=0.05)
    assert rate.lower_rate == pytest.approx((-2.0 + 2.5 * np.log10(0.05)) / 2, abs=0.1)
    assert rate.upper_rate == pytest.approx((-2.0 + 2.5 * np.log10(0.95)) / 2, abs=0.005)
    assert (rate.delta_time, rate.from_upper) == (2.0, True)


def test_exact_magnitudes_give_their_difference_over_time() -> None:
    rate = _rate(Point(JD, 18.0, 0.0), Point(JD - 4, 17.0, 0.0))
    assert rate == Rate(0.25, 0.0, 0.25, 0.25, 4.0, from_upper=False)


@pytest.mark.parametrize("seed", range(5))
def test_draws_below_zero_shift_their_own_alert_to_a_flux_that_scales_with_its_error(seed: int) -> None:
    one, twice = (_rate(Point(JD, 18.0, error), Point(JD - 1, 18.0, 0.0), seed) for error in (0.6, 1.2))
    assert one.mag_rate - twice.mag_rate == pytest.approx(2.5 * np.log10(2), abs=1e-4)
    assert one.sigma_rate == pytest.approx(twice.sigma_rate, rel=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_the_draw_shifted_to_zero_weighs_no_more_than_its_neighbour(seed: int) -> None:
    # As 2e-16 in flux it would put one draw of 10,000 off by 40 magnitudes or more, and the deviation of 0.3 at 0.6.
    assert _rate(Point(JD, 18.0, 0.6), Point(JD - 1, 18.0, 0.0), seed).sigma_rate < 0.4


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], None),
        ([(G, 3.0, 17.0, 0.1, 20.0)], None),
        ([(R, 3.0, 17.0, 0.1, 20.0), (G, 1.0, 17.0, 0.1, 20.0)], 3.0),
        ([(R, 3.0, 17.0, 0.1, 20.0), (R, 1.0, None, None, 20.0)], 1.0),
        ([(I_BAND, 4.0, 17.0, 0.1, 20.0), (R, 3.0, 17.0, 0.1, 20.0)], 3.0),
        ([(R, 3.0, 17.0, 0.1, 20.0), (I_BAND, 1.0, None, None, 20.0)], None),
        ([(R, 3.0, 17.0, 0.1, 20.0), (None, 1.0, 17.0, 0.1, 20.0)], 3.0),
    ],
)
def test_the_last_point_in_the_band_counts_unless_one_in_i_comes_after(
    points: list[tuple[Any, ...]], expected: float | None
) -> None:
    row = _row(*points)
    assert (None if row["delta_time"] is pd.NA else row["delta_time"]) == expected


def test_a_band_other_than_g_and_r_has_no_last_point() -> None:
    columns = [np.array([value], dtype=np.float64) for value in (JD, I_BAND, 18.0, 0.1, 20.0)]
    history = History(*columns)
    assert last_point(history, I_BAND) is None
    assert last_point(history, np.nan) is None


@pytest.mark.parametrize(
    ("points", "changed"),
    [
        ([DETECTED], {"magpsf": None}),
        ([DETECTED], {"sigmapsf": np.nan}),
        ([DETECTED], {"sigmapsf": -1.0}),
        ([DETECTED], {"fid": None}),
        ([DETECTED], {"fid": I_BAND}),
        ([DETECTED], {"jd": None}),
        ([DETECTED], {"jd": JD - 2.0}),
        ([DETECTED], {"jd": JD - 3.0}),
        ([(R, 2.0, None, None, None)], {}),
        ([(R, 2.0, None, None, -1006.94)], {}),
        ([(R, 2.0, -999.0, 0.1, 20.5)], {}),
        ([(R, 2.0, 19.0, None, 20.5)], {}),
        ([(R, np.nan, 19.0, 0.1, 20.5)], {}),
        ([DETECTED], {"sigmapsf": 1e300}),
    ],
)
def test_without_two_usable_points_in_order_all_of_the_rate_is_null(
    points: list[tuple[Any, ...]], changed: dict[str, Any]
) -> None:
    row = _row(*points, **changed)
    assert all(row[name] is pd.NA for name in RATES)
    assert not row["from_upper"]


@pytest.mark.parametrize(
    ("points", "magnitude", "expected"),
    [
        ([LIMIT, DETECTED], 18.0, JD - 2),
        ([(G, 5.0, 17.0, 0.1, 20.0), DETECTED], 18.0, JD - 5),
        ([LIMIT], 18.0, JD),
        ([], 18.0, JD),
        ([LIMIT], None, None),
    ],
)
def test_the_first_detection_is_the_first_magnitude_of_any_band(
    points: list[tuple[Any, ...]], magnitude: float | None, expected: float | None
) -> None:
    row = _row(*points, magpsf=magnitude)
    found = [None if row[name] is pd.NA else row[name] for name in TIMES]
    assert found == [expected, None if expected is None else expected - (JD - 10)]


def test_without_jdstarthist_only_the_time_from_it_is_null() -> None:
    row = _row(DETECTED, jdstarthist=None)
    assert [name for name, value in row.items() if value is pd.NA] == ["jdstarthist_dt"]


@pytest.mark.parametrize("missing", ["jd", "fid", "magpsf", "sigmapsf", "diffmaglim"])
def test_a_missing_array_of_the_history_is_one_of_nulls(missing: str) -> None:
    alert = {**_alert(DETECTED, LIMIT), f"prv_candidates.{missing}": None}
    nulls = {**_alert(DETECTED, LIMIT), f"prv_candidates.{missing}": np.array([None, None], dtype=object)}
    pd.testing.assert_frame_equal(_table(alert), _table(nulls))


def test_without_history_there_is_no_rate() -> None:
    found = _table({**NOW, **{path: None for path in MODULE.inputs if path.startswith("prv_")}})
    assert found["jd_first_real_det"].tolist() == [JD]
    assert found[RATES].isna().to_numpy().all()


def test_neighbouring_identities_have_draws_of_their_own() -> None:
    alerts = [{**_alert(DETECTED), "candid": CANDID + step} for step in (0, 1, 0)]
    first, second, again = _table(*alerts)["mag_rate"]
    assert first == again
    assert first != second


def test_an_alert_without_identity_has_no_draws() -> None:
    alert = _alert(DETECTED)
    inputs = [pd.Series([alert[path]], dtype=object) for path in MODULE.inputs[1:]]
    added = pd.DataFrame(MODULE.function(pd.Series([None], dtype="Int64"), *inputs))
    assert added[RATES].isna().to_numpy().all()
    assert not added[TIMES].isna().to_numpy().any()


def test_an_alert_keeps_its_numbers_from_release_to_release() -> None:
    # Whoever changes these changes the module's version.
    detected, limit = _row(DETECTED), _row(LIMIT)
    assert [detected[name] for name in RATES[:4]] == pytest.approx(PINNED_DETECTED, rel=1e-5)
    assert [limit[name] for name in RATES[:4]] == pytest.approx(PINNED_LIMIT, rel=1e-5)


def test_no_alerts_give_no_rows_in_the_right_types() -> None:
    added = _table()
    assert len(added) == 0
    assert added["from_upper"].dtype == pd.BooleanDtype()


def test_single_precision_is_read_as_it_is() -> None:
    alert = _alert((R, 2.0, np.float32(19.3), np.float32(0.15), np.float32(20.5)))
    history = {path: [cell.astype(np.float32)] for path, cell in alert.items() if "magpsf" in path and "prv" in path}
    assert history
    alert |= {path: cells[0] for path, cells in history.items()}
    expected = _rate(Point(JD, 18.0, 0.1), Point(JD - 2, float(np.float32(19.3)), float(np.float32(0.15))))
    assert _table(alert)["mag_rate"].tolist() == [expected.mag_rate]


_NUMBER = st.none() | st.just(np.nan)
_POINT = st.tuples(
    st.sampled_from([G, R, I_BAND, None]),
    st.sampled_from([0.0, 0.001, 2.0, 30.0]),
    _NUMBER | st.floats(10, 22),
    _NUMBER | st.sampled_from([0.0, 0.1, 0.5]),
    _NUMBER | st.floats(15, 22),
)
_ALERT = st.builds(
    lambda points, now, candid: {**_alert(*points, **now), "candid": candid},
    st.lists(_POINT, max_size=4),
    st.fixed_dictionaries({"fid": st.sampled_from([G, R, None]), "sigmapsf": _NUMBER | st.sampled_from([0.01, 0.5])}),
    st.integers(-(2**63), 2**63 - 1),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(_ALERT, min_size=1, max_size=6))
def test_an_alert_has_the_same_numbers_whatever_came_with_it(alerts: list[dict[str, Any]]) -> None:
    together = _table(*alerts)
    backwards = _table(*reversed(alerts)).iloc[::-1].reset_index(drop=True)
    alone = pd.concat([_table(alert) for alert in alerts], ignore_index=True)
    pd.testing.assert_frame_equal(together, backwards, check_exact=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
