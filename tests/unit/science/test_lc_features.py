from __future__ import annotations

import math
import pickle
from typing import Any

import light_curve as lc  # it comes without types
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # its types are a package of their own

from fink_dagster.science.answers import checked
from fink_dagster.science.lc_features import EXTRACTORS, FEATURES, FIELDS, MODULE

JD = 2458451.75
POINT: dict[str, Any] = {
    "jd": JD,
    "fid": 1,
    "magpsf": 18.0,
    "sigmapsf": 0.1,
    "distnr": 9.0,
    "magnr": 17.0,
    "sigmagnr": 0.02,
    "isdiffpos": "t",
}
LIMIT = dict.fromkeys(("magpsf", "sigmapsf", "distnr", "magnr", "sigmagnr", "isdiffpos"))
Alert = list[dict[str, Any]]  # the last point is the alert's own, those before it are its history


def _point(days: float, **changed: object) -> dict[str, Any]:
    return {**POINT, "jd": JD + days, **changed}


def _history(points: Alert, field: str) -> np.ndarray:
    values = [point[field] for point in points]
    if field == "isdiffpos":
        return np.array(values, dtype=object)
    return np.array(values, dtype=np.float64 if field == "jd" else np.float32)


def _inputs(alerts: list[Alert]) -> list[pd.Series]:
    """Return the module's inputs; a history of no points is an absent array."""
    now = [pd.Series([alert[-1][field] for alert in alerts], dtype=object) for field in FIELDS]
    histories = [[_history(alert[:-1], field) if alert[:-1] else None for alert in alerts] for field in FIELDS]
    return [*now, *(pd.Series(cells, dtype=object) for cells in histories)]


def _described(*columns: pd.Series) -> pd.DataFrame:
    frame = MODULE.function(*columns)
    assert isinstance(frame, pd.DataFrame)
    return frame


def _features(alerts: list[Alert]) -> pd.DataFrame:
    frame = _described(*_inputs(alerts))
    answer = checked(frame, MODULE, len(alerts))
    assert not answer.wrong.any()
    records = [cell for cell in frame.to_numpy().ravel() if cell is not None]
    values = [value for record in records for value in record.values() if value is not None]
    assert all(isinstance(value, float) and math.isfinite(value) for value in values)
    return frame


def _g(alert: Alert) -> dict[str, float | None] | None:
    found = _features([alert])["lc_features_g"][0]
    assert found is None or isinstance(found, dict)
    return found


def _some_points(number: int, **changed: object) -> Alert:
    random = np.random.default_rng(1)
    days = np.sort(random.uniform(0, 30, number))
    magnitudes, errors = random.normal(18, 0.5, number), random.uniform(0.05, 0.2, number)
    return [
        _point(day, magpsf=float(np.float32(m)), sigmapsf=float(np.float32(s)), **changed)
        for day, m, s in zip(days, magnitudes, errors, strict=True)
    ]


def test_the_names_are_the_crates_own_in_the_order_of_its_values() -> None:
    given_names = [name for kind, parameters, _ in EXTRACTORS for name in getattr(lc, kind)(**parameters).names]
    assert given_names == list(FEATURES)
    assert (len(EXTRACTORS), len(FEATURES)) == (22, 26)
    assert [output.fields for output in MODULE.outputs] == [FEATURES, FEATURES]


def test_features_are_what_their_definitions_say() -> None:
    points = _some_points(40)
    t, m, s = (np.array([point[name] for point in points]) for name in ("jd", "magpsf", "sigmapsf"))
    m, s = m.astype(np.float32).astype(float), s.astype(np.float32).astype(float)
    w = s**-2
    mean, std, weighted = m.mean(), m.std(ddof=1), np.average(m, weights=w)
    cumulative = np.cumsum(m - mean) / (len(m) * std)
    slope, intercept = np.polyfit(t - t[0], m, 1)
    fitted = np.polyfit(t - t[0], m, 1, w=1 / s)
    residual = (m - weighted) / s
    expected = {
        "mean": mean,
        "weighted_mean": weighted,
        "standard_deviation": std,
        "median": np.median(m),
        "amplitude": np.ptp(m) / 2,
        "beyond_1_std": np.mean(np.abs(m - mean) > std),
        "cusum": np.ptp(cumulative),
        "kurtosis": stats.kurtosis(m, bias=False),
        "linear_trend": slope,
        "linear_trend_noise": np.sqrt(np.sum((m - slope * (t - t[0]) - intercept) ** 2) / (len(m) - 2)),
        "linear_fit_slope": fitted[0],
        "linear_fit_slope_sigma": np.sum(w * (t - np.average(t, weights=w)) ** 2) ** -0.5,
        "linear_fit_reduced_chi2": np.sum(w * (m - np.polyval(fitted, t - t[0])) ** 2) / (len(m) - 2),
        "maximum_slope": np.max(np.abs(np.diff(m) / np.diff(t))),
        "median_absolute_deviation": np.median(np.abs(m - np.median(m))),
        "percent_amplitude": np.max(np.abs(m - np.median(m))),
        "mean_variance": std / mean,
        "chi2": np.sum(residual**2) / (len(m) - 1),
        "skew": stats.skew(m, bias=False),
        "stetson_K": np.sum(np.abs(residual)) / np.sqrt(len(m) * np.sum(residual**2)),
    }
    found = _g(points)
    assert found is not None
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-7)


def test_bands_are_described_apart() -> None:
    g, r = _some_points(12, fid=1), _some_points(9, fid=2)
    mixed = sorted([*g, *r], key=lambda point: point["jd"])
    both, only_g, only_r = (_features([alert]).loc[0] for alert in (mixed, g, r))
    assert both["lc_features_g"] == only_g["lc_features_g"]
    assert both["lc_features_r"] == only_r["lc_features_r"]
    assert (only_g["lc_features_r"], only_r["lc_features_g"]) == (None, None)


def test_a_point_of_another_band_or_of_none_is_not_described() -> None:
    for band in (3, 0, -1, 7, None, math.nan, 1.5):
        described = _features([[_point(0, fid=band), _point(1, fid=band)]])
        assert described.to_numpy().tolist() == [[None, None]]


def test_a_single_point_has_what_one_point_defines() -> None:
    found = _g([_point(0)])
    assert found is not None
    assert {name: value for name, value in found.items() if value is not None} == {
        "mean": 18.0,
        "weighted_mean": 18.0,
        "median": 18.0,
        "amplitude": 0.0,
        "inter_percentile_range_10": 0.0,
        "median_absolute_deviation": 0.0,
        "median_buffer_range_percentage_10": 0.0,
        "percent_amplitude": 0.0,
    }


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_short_and_constant_curves_leave_undefined_features_null(number: int) -> None:
    assert _g(_some_points(number)) is not None
    flat = _g([_point(day) for day in range(number)])
    assert flat is not None
    assert (flat["mean"], flat["standard_deviation"], flat["skew"]) == (18.0, 0.0, None)
    assert flat["chi2"] == pytest.approx(0.0, abs=1e-20)


def test_a_band_with_upper_limits_only_has_a_record_of_nulls() -> None:
    upper = _features([[_point(0, **LIMIT), _point(1, **LIMIT), _point(2, fid=2)]])
    assert upper["lc_features_g"].tolist() == [dict.fromkeys(FEATURES)]
    assert upper["lc_features_r"][0]["mean"] == 18.0


def test_upper_limits_between_measured_points_change_nothing() -> None:
    points = _some_points(8)
    assert _g([_point(-1, **LIMIT), *points[:4], _point(0.01, **LIMIT), *points[4:]]) == _g(points)


def test_an_alert_of_nulls_has_no_features() -> None:
    absent = dict.fromkeys(FIELDS)
    assert _features([[absent], [absent, absent]]).to_numpy().tolist() == [[None, None], [None, None]]


@pytest.mark.parametrize("field", ["magpsf", "sigmapsf", "jd"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_a_point_without_a_finite_magnitude_error_or_time_is_left_out(field: str, value: float | None) -> None:
    points = _some_points(6)
    assert _g([*points[:3], {**points[3], field: value}, *points[4:]]) == _g([*points[:3], *points[4:]])


def test_an_error_of_zero_leaves_no_infinity() -> None:
    assert _g([_point(0, sigmapsf=0.0), _point(1, magpsf=18.5, sigmapsf=0.0), _point(2)]) is not None


def test_a_band_with_a_time_twice_is_not_described() -> None:
    twice = [_point(0), _point(0, magpsf=18.5), _point(1), _point(2, fid=2)]
    described = _features([twice])
    assert described["lc_features_g"].tolist() == [None]
    assert described["lc_features_r"][0]["mean"] == 18.0


def test_two_bands_and_two_alerts_may_share_a_time() -> None:
    described = _features([[_point(0), _point(0, fid=2)], [_point(0), _point(0, fid=2)]])
    assert [[cell["mean"] for cell in row] for row in described.to_numpy()] == [[18.0, 18.0], [18.0, 18.0]]


def test_points_are_taken_in_the_order_of_their_times() -> None:
    points = _some_points(10)
    assert _g([*points[::2], *points[1::2]]) == _g(points)


def _apparent(sign: int) -> tuple[float, float]:
    """Return POINT's apparent magnitude and error, by derivatives, from fluxes in units of the zero point."""
    difference, reference = 10 ** (-18.0 / 2.5), 10 ** (-17.0 / 2.5)
    flux = reference + sign * difference
    share, reference_share = difference / flux, reference / flux
    error = math.sqrt((share * float(np.float32(0.1))) ** 2 + (reference_share * float(np.float32(0.02))) ** 2)
    return -2.5 * math.log10(flux), error


@pytest.mark.parametrize(("isdiffpos", "sign"), [("t", 1), ("1", 1), ("f", -1), ("0", -1)])
def test_over_a_reference_source_magnitudes_are_apparent(isdiffpos: str, sign: int) -> None:
    changed = {"distnr": 0.3, "isdiffpos": isdiffpos}
    found = _g([_point(0, magpsf=18.0, **changed), _point(1, magpsf=18.0, **changed)])
    magnitude, error = _apparent(sign)
    assert found is not None
    assert found["mean"] == pytest.approx(magnitude, rel=1e-12)
    # The error shows in the slope: two points of equal error one day apart.
    assert found["linear_fit_slope_sigma"] is None
    three = _g([_point(day, magpsf=18.0, **changed) for day in (0, 1, 2)])
    assert three is not None
    assert three["linear_fit_slope_sigma"] == pytest.approx(error / math.sqrt(2), rel=1e-6)


@pytest.mark.parametrize(
    ("distance", "is_apparent"),
    [(0.0, True), (1.5, True), (1.51, False), (-999.0, False), (None, False), (math.nan, False)],
)
def test_a_source_lies_under_an_alert_up_to_a_pixel_and_a_half(distance: float | None, is_apparent: bool) -> None:
    found = _g([_point(0, distnr=distance)])
    assert found is not None
    assert found["mean"] == pytest.approx(_apparent(1)[0] if is_apparent else 18.0, rel=1e-12)


def test_one_point_over_a_source_makes_all_points_of_the_alert_apparent() -> None:
    described = _features([[_point(0, distnr=0.3, fid=3), _point(1), _point(1, fid=2)]])
    assert [cell["mean"] for cell in described.to_numpy()[0]] == pytest.approx([_apparent(1)[0]] * 2, rel=1e-12)


def test_an_upper_limit_over_a_source_makes_none_apparent() -> None:
    found = _g([_point(0, **{**LIMIT, "distnr": 0.3}), _point(1)])
    assert found is not None
    assert found["mean"] == 18.0


@pytest.mark.parametrize(
    "changed",
    [
        {"magnr": -999.0},
        {"magnr": None},
        {"sigmagnr": None},
        {"magnr": 19.0, "isdiffpos": "f"},
        {"magnr": 18.0, "isdiffpos": "f"},
    ],
)
def test_a_point_over_a_source_without_an_apparent_magnitude_is_left_out(changed: dict[str, object]) -> None:
    over = [_point(day, distnr=0.3) for day in (0, 1)]
    assert _g([*over, _point(2, distnr=0.3, **changed)]) == _g(over)
    assert _g([_point(2, distnr=0.3, **changed)]) == dict.fromkeys(FEATURES)


def test_a_history_whose_arrays_differ_in_length_is_taken_as_absent_where_it_differs() -> None:
    columns = dict(zip(MODULE.inputs, _inputs([[_point(0), _point(1), _point(2)]]), strict=True))
    columns["prv_candidates.sigmapsf"] = pd.Series([None], dtype=object)
    assert _described(*columns.values())["lc_features_g"][0]["mean"] == 18.0


def test_nullable_columns_and_empty_histories_are_taken() -> None:
    kinds = {"fid": "Int32", "isdiffpos": "string"}
    now = [pd.Series([POINT[field], None], dtype=kinds.get(field, "Float32")) for field in FIELDS]
    empty = [pd.Series([np.array([]), None], dtype=object) for _ in FIELDS]
    g = _described(*now, *empty)["lc_features_g"]
    assert (g[0]["mean"], g[1]) == (18.0, None)


def test_no_alerts_give_no_features() -> None:
    described = _described(*(pd.Series([], dtype=object) for _ in MODULE.inputs))
    assert described.shape == (0, 2)


def test_the_module_can_be_sent_to_a_worker_after_it_has_run() -> None:
    expected = _g([_point(0)])
    again = pickle.loads(pickle.dumps(MODULE))
    assert again.function(*_inputs([[_point(0)]]))["lc_features_g"][0] == expected


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, math.nan, math.inf, -999.0]) | values | values


POINTS = st.fixed_dictionaries(
    {
        "jd": _maybe(st.integers(0, 60).map(lambda tick: JD + tick / 4)),
        "fid": st.sampled_from([1, 2, 3, None]),
        "magpsf": _maybe(st.floats(12, 22, width=32) | st.floats(width=32)),
        "sigmapsf": _maybe(st.floats(0, 0.5, width=32) | st.floats(width=32)),
        "distnr": _maybe(st.floats(0, 3, width=32)),
        "magnr": _maybe(st.floats(12, 22, width=32)),
        "sigmagnr": _maybe(st.floats(0, 0.5, width=32)),
        "isdiffpos": st.sampled_from(["t", "f", "1", "0", None]),
    }
)
ALERTS = st.lists(st.lists(POINTS, min_size=1, max_size=12), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(alerts=ALERTS, random=st.randoms())  # its choices include times twice, sentinels and any float32
def test_an_alert_has_the_same_features_whatever_alerts_came_with_it(alerts: list[Alert], random: Any) -> None:
    alone = [_features([alert]).to_numpy()[0].tolist() for alert in alerts]
    order = random.sample(range(len(alerts)), len(alerts))
    together = _features([alerts[position] for position in order])
    assert together.to_numpy().tolist() == [alone[position] for position in order]
