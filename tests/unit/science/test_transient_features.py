from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.science.module import PANDAS_TYPES
from fink_dagster.science.run import run_modules
from fink_dagster.science.transient_features import MODULE

JD = 2460000.5
ABSENT = -999.0
PATHS = (*MODULE.inputs, *MODULE.optional)
FIELDS = [path.removeprefix("candidate.") for path in PATHS if path.startswith("candidate.")]
BEFORE = {"jd": JD - 2, "fid": 1, "magpsf": 18.9, "isdiffpos": "t"}
# A young source off any star, seen two days before: a transient.
TRANSIENT: dict[str, Any] = {
    **dict.fromkeys(FIELDS, ABSENT),
    **{"jd": JD, "jdstarthist": JD - 10, "fid": 1, "magpsf": 18.5, "isdiffpos": "t", "rb": 0.9, "drb": 0.99},
    **{"ndethist": 5, "roid": 0, "history": [BEFORE]},
}
PS1 = {"distpsnr1": 0.1, "sgscore1": 0.6}
OLD = {"jdstarthist": JD - 91}


def _frame(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({path: pd.Series([_cell(alert, path) for alert in alerts], dtype=object) for path in PATHS})


def _cell(alert: dict[str, Any], path: str) -> Any:
    if not path.startswith("prv_candidates."):
        return alert[path.removeprefix("candidate.")]
    name = path.removeprefix("prv_candidates.")
    if alert["history"] is None:
        return None
    return np.array([point[name] for point in alert["history"]], dtype=object if name == "isdiffpos" else np.float64)


def _marks(alerts: list[dict[str, Any]]) -> list[dict[str, bool]]:
    frame = _frame(alerts)
    result = MODULE.function(*(frame[path] for path in PATHS))
    assert isinstance(result, pd.DataFrame)
    assert {str(kind) for kind in result.dtypes} == {"bool"}
    rows: list[Any] = result.to_dict("records")
    return rows


def _mark(name: str, **changed: Any) -> bool:
    return _marks([{**TRANSIENT, **changed}])[0][name]


def _point(**changed: Any) -> list[dict[str, Any]]:
    return [{**BEFORE, **changed}]


def test_a_young_source_off_any_star_that_was_there_before_is_a_transient() -> None:
    assert _marks([TRANSIENT]) == [
        {
            **dict.fromkeys(("faint", "pointunderneath", "brightstar", "variablesource"), False),
            **dict.fromkeys(("positivesubtraction", "real", "stationary", "is_transient"), True),
        }
    ]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("faint", {"magpsf": 19.9}),
        ("positivesubtraction", {"isdiffpos": "f"}),
        ("real", {"drb": 0.7}),
        ("pointunderneath", {"sgscore1": 0.9, "distpsnr1": 1.0}),
        ("brightstar", {"neargaiabright": 5.0, "maggaiabright": 10.0}),
        ("variablesource", {"ndethist": 300}),
        ("stationary", {"history": None}),
    ],
)
def test_each_mark_alone_decides_against_a_transient(name: str, changed: dict[str, Any]) -> None:
    usual, marks = _marks([TRANSIENT, {**TRANSIENT, **changed}])
    assert {key for key in usual if usual[key] != marks[key]} == {name, "is_transient"}


@pytest.mark.parametrize("roid", [1, 2, 3, None])
def test_a_transient_is_known_to_be_no_asteroid(roid: int | None) -> None:
    assert not _mark("is_transient", roid=roid)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"magpsf": 19.8}, True),
        ({"magpsf": float(np.float32(19.8))}, False),
        ({"history": _point(jd=JD - 0.7, magpsf=19.0)}, True),
        ({"history": _point(jd=JD - 0.7, magpsf=18.99)}, False),
        ({"history": _point(jd=JD - 0.8, magpsf=19.5)}, False),
        ({"history": _point(jd=JD - 0.7, magpsf=19.5, isdiffpos="f")}, True),
        ({"history": _point(jd=JD - 0.7, magpsf=19.5), "isdiffpos": "f"}, False),
        ({"history": _point(jd=JD - 0.7, magpsf=np.nan)}, False),
    ],
)
def test_faint_is_of_now_or_of_the_same_night(changed: dict[str, Any], expected: bool) -> None:
    assert _mark("faint", **changed) is expected


@pytest.mark.parametrize(
    ("sign", "expected"), [("t", 1), ("1", 1), ("true", 1), ("f", 0), ("0", 0), (None, 0), ("", 0)]
)
def test_a_positive_subtraction_is_said_in_three_ways(sign: str | None, expected: int) -> None:
    assert _mark("positivesubtraction", isdiffpos=sign) == bool(expected)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"rb": 0.2}, False),
        ({"rb": 0.21}, True),
        ({"rb": 0.3, "neargaia": 0.9, "maggaia": 16.9}, False),
        ({"rb": 0.3, "neargaia": 1.0, "maggaia": 16.9}, True),
        ({"rb": 0.4, "neargaia": 1.4, "maggaia": 15.4}, False),
        ({"rb": 0.4, "neargaia": 1.4, "maggaia": 15.6}, True),
        ({"rb": 0.3, **PS1, "srmag1": 16.9}, False),
        ({"rb": 0.3, **PS1, "simag1": 16.9}, False),
        ({"rb": 0.3, **PS1, "szmag1": 16.9}, True),
        ({"rb": 0.3, **PS1, "szmag1": 16.4}, False),
        ({"rb": 0.3, **PS1, "srmag1": 16.9, "sgscore1": 0.49}, True),
        ({"rb": 0.4, **PS1, "szmag1": 14.9}, False),
        ({"rb": 0.45, **PS1, "szmag1": 14.9}, True),
        ({"drb": 0.8}, True),
        ({"drb": 0.89, **OLD, "distpsnr1": 2.9, "srmag1": 15.9}, False),
        ({"drb": 0.89, **OLD, "distpsnr1": 2.9, "srmag1": ABSENT, "sgmag1": 15.9}, False),
        ({"drb": 0.89, **OLD, "distpsnr1": 2.9, "srmag1": 16.1, "sgmag1": 15.9}, True),
        ({"drb": 0.89, "distpsnr1": 2.9, "srmag1": 15.9}, True),
        ({"drb": 0.94, **OLD, "distpsnr1": 0.7, "srmag1": 17.4}, False),
        ({"drb": 0.94, **OLD, "distpsnr1": ABSENT, "srmag1": 17.4}, True),
        ({"drb": None}, True),
        ({"drb": None, "rb": 0.1}, False),
        ({"rb": None, "drb": 0.7}, False),
        ({"rb": None, "drb": None}, True),
    ],
)
def test_an_artefact_has_a_low_score_and_the_less_low_the_brighter_its_neighbour(
    changed: dict[str, Any], expected: bool
) -> None:
    assert _mark("real", **changed) is expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"sgscore1": 0.77, "distpsnr1": 2.4}, True),
        ({"sgscore1": 0.76, "distpsnr1": 2.4}, False),
        ({"sgscore1": 0.77, "distpsnr1": 2.5}, False),
        ({"sgscore1": 0.77, "distpsnr1": ABSENT}, False),
        ({"sgscore1": 0.3, "distpsnr1": 0.9, "srmag1": 20.1, "szmag1": 17.0}, True),
        ({"sgscore1": 0.3, "distpsnr1": 0.9, "srmag1": 20.1, "simag1": 17.0}, True),
        ({"sgscore1": 0.3, "distpsnr1": 0.9, "srmag1": 20.0, "simag1": 17.0}, False),
        ({"sgscore1": 0.3, "distpsnr1": 0.9, "srmag1": 20.0}, False),
        ({"sgscore1": None, "distpsnr1": 0.9, "srmag1": 20.1, "simag1": 17.0}, False),
    ],
)
def test_a_point_underneath_is_a_star_or_as_red_as_one(changed: dict[str, Any], expected: bool) -> None:
    assert _mark("pointunderneath", **changed) is expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"neargaiabright": 19.9, "maggaiabright": 11.9}, True),
        ({"neargaiabright": 20.0, "maggaiabright": 11.9}, False),
        *[({f"distpsnr{k}": 19.9, f"srmag{k}": 13.9, f"sgscore{k}": 0.91}, True) for k in (1, 2, 3)],
        ({"distpsnr2": 19.9, "srmag2": 13.9, "sgscore2": 0.9}, False),
        ({"distpsnr2": 19.9, "srmag2": 13.9, "sgscore3": 0.91}, False),
        ({"distpsnr1": 19.9, "simag1": 13.9, "sgscore1": 0.91}, True),
        ({"distpsnr1": 10.1, "szmag1": 13.9, "sgscore1": 0.91}, False),
        ({"distpsnr1": 9.9, "szmag1": 13.9, "sgscore1": 0.91}, True),
    ],
)
def test_a_bright_star_counts_in_any_of_its_catalogues(changed: dict[str, Any], expected: bool) -> None:
    assert _mark("brightstar", **changed) is expected


ON_REFERENCE = {"jdstarthist": JD - 361, "ndethist": 31, "distnr": 0.3, "magnr": 19.4, "magpsf": 19.0}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({**ON_REFERENCE}, True),
        ({**ON_REFERENCE, "ndethist": 30, "magnr": 18.1}, False),
        ({**ON_REFERENCE, "jdstarthist": JD - 360}, False),
        ({**ON_REFERENCE, "jdstarthist": JD - 360, "history": [BEFORE, BEFORE]}, True),
        ({**ON_REFERENCE, "history": _point(isdiffpos="f")}, False),
        ({**ON_REFERENCE, "history": _point(jd=JD - 0.7)}, False),
        ({**ON_REFERENCE, "history": _point(jd=JD - 30)}, False),
        ({**ON_REFERENCE, "magpsf": 18.4}, False),
        ({**ON_REFERENCE, "magpsf": 18.5}, True),
        ({**ON_REFERENCE, "distnr": 0.7}, False),
        ({**ON_REFERENCE, "distnr": 1.1, "magnr": 15.4}, True),
        ({**ON_REFERENCE, "distnr": ABSENT}, False),
        ({"neargaia": 0.3, "maggaia": 16.9, "jdstarthist": JD - 31}, True),
        ({"neargaia": 0.3, "maggaia": 18.9, "jdstarthist": JD - 301, "magpsf": 18.51}, True),
        ({"neargaia": 0.3, "maggaia": 18.9, "jdstarthist": JD - 301, "magpsf": 18.5}, False),
        ({"neargaia": 0.19, "maggaia": 17.9, **OLD}, True),
        ({"neargaia": 0.21, "maggaia": 17.9, **OLD}, False),
        ({**OLD, "sgscore1": 0.26, "distpsnr1": 2.9, "szmag1": 15.9}, True),
        ({**OLD, "sgscore1": 0.25, "distpsnr1": 2.9, "szmag1": 15.9}, False),
        ({**OLD, "sgscore1": 0.5, "distpsnr1": 0.4, "sgmag1": 16.9}, True),
        ({**OLD, "sgscore1": 0.51, "distpsnr1": 0.4, "sgmag1": 16.9}, False),
        ({**OLD, "distnr": 0.4, "magnr": 17.9, "magpsf": 19.0}, True),
        ({**OLD, "distnr": 0.4, "magnr": 18.0, "magpsf": 19.0}, False),
        ({**OLD, "distnr": 0.4, "magnr": 17.0, "magpsf": 18.8}, False),
        ({**OLD, "distnr": 0.4, "magnr": 17.0, "magpsf": 19.0, "history": _point(fid=2)}, False),
        ({**OLD, "distnr": 0.4, "magnr": 17.0, "magpsf": 19.0, "history": _point(isdiffpos="f")}, True),
        ({"ndethist": 200}, False),
        ({"ndethist": 201}, True),
        ({**ON_REFERENCE, "jdstarthist": None}, False),
    ],
)
def test_a_variable_source_is_old_and_on_something_bright_or_seen_very_often(
    changed: dict[str, Any], expected: bool
) -> None:
    assert _mark("variablesource", **changed) is expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (_point(jd=JD - 0.03), True),
        (_point(jd=JD - 0.01), False),
        (_point(isdiffpos="f"), False),
        (_point(isdiffpos=None), False),
        (_point(magpsf=np.nan), False),
        ([], False),
        (None, False),
    ],
)
def test_stationary_takes_an_earlier_positive_detection(history: list[dict[str, Any]] | None, expected: bool) -> None:
    assert _mark("stationary", history=history) is expected


def test_without_any_value_nothing_is_known_against_the_alert_nor_for_it() -> None:
    nothing = {**dict.fromkeys(TRANSIENT), "history": _point(**dict.fromkeys(BEFORE))}
    for alert in (nothing, {**nothing, "history": None}):
        assert {name for name, mark in _marks([alert])[0].items() if mark} == {"real"}


def test_no_alerts_give_no_marks() -> None:
    assert _marks([]) == []


def test_a_history_without_one_of_its_fields_is_read_without_it() -> None:
    frame = _frame([TRANSIENT, TRANSIENT])
    frame.at[0, "prv_candidates.isdiffpos"] = None
    frame.at[0, "prv_candidates.fid"] = None
    marks = MODULE.function(*(frame[path] for path in PATHS))
    assert isinstance(marks, pd.DataFrame)
    assert marks["stationary"].tolist() == [False, True]


def test_alerts_of_a_schema_without_drb_are_judged_by_rb() -> None:
    frame = _frame([TRANSIENT]).drop(columns="candidate.drb")
    frame["candidate.rb"] = frame["candidate.rb"].astype("float32")
    ran = run_modules(frame, [MODULE])
    assert ran.failures == {}
    assert ran.columns["is_transient"].tolist() == [True]
    assert {str(kind) for kind in ran.columns.dtypes} == {PANDAS_TYPES["boolean"]}


def _holds(*sides: Any) -> bool:
    """Return whether the pairs are each less than the other, a null failing its comparison."""
    pairs = zip(sides[::2], sides[1::2], strict=True)
    return all(low is not None and high is not None and low < high for low, high in pairs)


def _abs(value: float | None) -> float | None:
    return None if value is None else abs(value)


def _one_by_one(a: dict[str, Any]) -> dict[str, bool]:
    """Apply upstream's expressions to one alert, without numpy."""
    near, gaia, gmag, score = _abs(a["distpsnr1"]), _abs(a["neargaia"]), _abs(a["maggaia"]), a["sgscore1"]
    r, i, z = (_abs(a[name]) for name in ("srmag1", "simag1", "szmag1"))
    age = None if a["jdstarthist"] is None else a["jd"] - a["jdstarthist"]
    points = [{**p, "ago": a["jd"] - p["jd"], "up": p["isdiffpos"] in ("t", "1")} for p in a["history"] or []]
    positive = a["isdiffpos"] in ("t", "1")
    faint = a["magpsf"] >= 19.8 or (
        positive and any(abs(p["ago"]) < 0.75 and p["magpsf"] is not None and p["magpsf"] >= 19 for p in points)
    )
    ps1 = next((a[n] for n in ("srmag1", "simag1", "sgmag1") if _holds(0, a[n], a[n], 30)), 99)
    brightest = min(a[n] if _holds(0, a[n]) else 99 for n in ("srmag1", "simag1", "sgmag1", "szmag1"))
    unreal = [
        a["rb"] is not None and a["rb"] <= 0.2,
        _holds(a["rb"], 0.35, gaia, 1, gmag, 17),
        _holds(a["rb"], 0.35, near, 1, 0.49, score) and (_holds(r, 17) or _holds(i, 17) or _holds(z, 16.5)),
        _holds(a["rb"], 0.45, gaia, 1.5, gmag, 15.5),
        _holds(a["rb"], 0.45, near, 1.5, 0.49, score) and (_holds(r, 15.5) or _holds(i, 15.5) or _holds(z, 15)),
        _holds(a["drb"], 0.8),
        _holds(a["drb"], 0.9, near, 3, ps1, 16, 90, age),
        _holds(a["drb"], 0.9, near, 1.1, ps1, 18, 90, age),
        _holds(a["drb"], 0.95, near, 1.5, ps1, 15.5, 90, age),
        _holds(a["drb"], 0.95, near, 0.8, ps1, 17.5, 90, age),
    ]
    red = any(_holds(0, a["srmag1"], 0, a[n]) and a["srmag1"] - a[n] > 3 for n in ("szmag1", "simag1"))
    under = _holds(0.76, score, near, 2.5) or (_holds(0.2, score, near, 1) and red)
    star = (
        _holds(_abs(a["neargaiabright"]), 20, _abs(a["maggaiabright"]), 12)
        or any(_holds(_abs(a[f"distpsnr{k}"]), 20, _abs(a[f"srmag{k}"]), 14, 0.9, a[f"sgscore{k}"]) for k in (1, 2, 3))
        or _holds(near, 20, i, 14, 0.9, score)
        or _holds(near, 10, z, 14, 0.9, score)
    )
    peak = min([a["magpsf"], *(p["magpsf"] for p in points if p["fid"] == a["fid"] and p["magpsf"] is not None)])
    passes = sum(_holds(0.75, p["ago"], p["ago"], 30, 0, p["magpsf"], p["magpsf"], 19.8) and p["up"] for p in points)
    threshold = 1 if _holds(360, age) else 2 if _holds(90, age) else 3
    dist = _abs(a["distnr"])
    variable = [
        _holds(90, age, 30, a["ndethist"], 0, a["magnr"])
        and passes >= threshold
        and not (a["magpsf"] <= peak and a["magpsf"] < 18.5)
        and any(_holds(dist, d, a["magnr"], m) for d, m in ((0.4, 19.5), (0.8, 17.5), (1.2, 15.5))),
        _holds(0, a["maggaia"], 0, a["neargaia"])
        and (
            _holds(gaia, 0.35, gmag, 17, 30, age)
            or _holds(gaia, 0.35, gmag, 19, 300, age, 18.5, a["magpsf"])
            or _holds(gaia, 0.2, gmag, 18, 90, age)
        ),
        _holds(0.25, score, near, 3, 90, age, brightest, 16),
        score == 0.5 and _holds(near, 0.5, 90, age, brightest, 17),
        _holds(0, a["magnr"], a["magnr"], a["magpsf"] - 1, 90, age, dist, 0.5, peak, a["magpsf"]),
        _holds(200, a["ndethist"]),
    ]
    marks = {
        "faint": faint,
        "positivesubtraction": positive,
        "real": not any(unreal),
        "pointunderneath": under,
        "brightstar": star,
        "variablesource": any(variable),
        "stationary": any(abs(p["ago"]) > 0.02 and _holds(p["magpsf"], 99) and p["up"] for p in points),
    }
    wanted = {"positivesubtraction", "real", "stationary"}
    return {**marks, "is_transient": {name for name, mark in marks.items() if mark} == wanted and a["roid"] == 0}


def _one_of(*values: float) -> st.SearchStrategy[float | None]:
    return st.sampled_from([None, ABSENT, *values])


MAGNITUDE = _one_of(11.5, 13.5, 15.2, 15.7, 16.7, 17.2, 17.8, 18.7, 21.0)
SIGN = st.sampled_from(["t", "1", "f", "0", None])
POINT = st.fixed_dictionaries(
    {
        "jd": st.sampled_from([JD - 0.01, JD - 0.5, JD - 1, JD - 29, JD - 31]),
        "fid": st.sampled_from([1, 2]),
        "magpsf": st.sampled_from([None, 17.0, 18.0, 18.9, 19.5, 20.0]),
        "isdiffpos": SIGN,
    }
)
ALERT = st.fixed_dictionaries(
    {
        **{name: MAGNITUDE for name in FIELDS if "mag" in name},
        **{name: _one_of(0.1, 0.22, 0.5, 0.9, 1.3, 2.0, 2.8, 15.0, 25.0) for name in FIELDS if "near" in name},
        **{name: _one_of(0.1, 0.3, 0.45, 0.7, 0.9, 1.3, 2.7, 15.0) for name in FIELDS if name.startswith("dist")},
        **{name: _one_of(0.1, 0.3, 0.5, 0.7, 0.95) for name in FIELDS if name.startswith("sgscore")},
        "jd": st.just(JD),
        "jdstarthist": st.sampled_from([None, JD - 1, JD - 50, JD - 100, JD - 310, JD - 400]),
        "fid": st.sampled_from([1, 2]),
        "magpsf": st.sampled_from([17.0, 18.3, 18.5, 19.0, 19.8]),
        "isdiffpos": SIGN,
        "rb": st.sampled_from([None, 0.1, 0.3, 0.4, 0.9]),
        "drb": st.sampled_from([None, 0.7, 0.85, 0.92, 0.99]),
        "ndethist": st.sampled_from([None, 1, 30, 31, 201]),
        "roid": st.sampled_from([0, 0, 0, 2, 3, None]),
        "history": st.none() | st.lists(POINT, max_size=5),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ALERT, max_size=12))
def test_a_table_gives_what_its_alerts_give_one_by_one(alerts: list[dict[str, Any]]) -> None:
    assert _marks(alerts) == [_one_by_one(alert) for alert in alerts]
