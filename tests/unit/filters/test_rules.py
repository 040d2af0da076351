"""Each filter of the platform against its rule: an alert that passes, and what must not be changed in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.filters.apply import judge
from fink_dagster.filters.registry import filters, get_filter

Row = dict[str, Any]

JD = 2460000.5
SCORED = {"candidate.drb": 0.9, "candidate.classtar": 0.8}
NEW = {"candidate.jd": JD, "candidate.jdstarthist": JD - 1.0}
PLACE = {"cdsxmatch": "Unknown", "roid": 0}
SNN = {"snn_snia_vs_nonia": 0.9, "snn_sn_vs_all": 0.1}
STEADY = np.array([JD - 8, JD - 6, JD - 4, JD - 2])
R_POINTS = {
    "candidate.jd": JD,
    "candidate.magpsf": 18.0,
    "candidate.fid": 2,
    "prv_candidates.jd": STEADY,
    "prv_candidates.magpsf": np.array([16.0, 16.5, 17.0, 17.5]),
    "prv_candidates.fid": np.array([2.0, 2.0, 2.0, 2.0]),
}
RISING = {
    **R_POINTS,
    "prv_candidates.jd": np.array([JD - 1.0]),
    "prv_candidates.magpsf": np.array([18.25]),
    "prv_candidates.fid": np.array([2.0]),
}
FADING = {
    **RISING,
    "candidate.magpsf": 18.4,
    "candidate.sigmapsf": 0.1,
    "candidate.magnr": 25.0,
    "candidate.sigmagnr": 0.1,
    "candidate.isdiffpos": "t",
    "prv_candidates.magpsf": np.array([18.0]),
    "prv_candidates.sigmapsf": np.array([0.1]),
    "prv_candidates.magnr": np.array([25.0]),
    "prv_candidates.sigmagnr": np.array([0.1]),
    "prv_candidates.isdiffpos": np.array(["t"], dtype=object),
}
PASSING: dict[str, Row] = {
    "blazar": {"cdsxmatch": "BLLac"},
    "simbad_grav_candidates": {"cdsxmatch": "LensedQ"},
    "yso_candidates": {"cdsxmatch": "TTau*_Candidate"},
    "first_pass_candidates": {"roid": 1},
    "sso_fink_candidates": {"roid": 2},
    "sso_ztf_candidates": {"roid": 3},
    "microlensing_candidates": {"mulens": 0.1},
    "tns_match": {"tns": "SN Ia", **NEW},
    "unknowns": {"finkclass": "Unknown", "cdsxmatch": "Unknown"},
    "vra": {"candidate.magpsf": 19.6, "candidate.drb": 0.6, **PLACE},
    "magnetic_cvs": {"magnetic_cv": "AI Tri", "candidate.isdiffpos": "t"},
    "sn_candidates": {**PLACE, **NEW, **SCORED, **SNN, "candidate.ndethist": 2},
    "early_sn_candidates": {
        **SCORED,
        **SNN,
        "cdsxmatch": "Galaxy",
        "candidate.ndethist": 20,
        "rf_snia_vs_nonia": 0.6,
    },
    "kn_candidates": {**PLACE, **NEW, **SCORED, "candidate.ndethist": 19, "rf_kn_vs_nonkn": 0.6},
    "early_kn_candidates": {
        **PLACE,
        **SCORED,
        "is_sdss_star": False,
        "candidate.jd": JD,
        "candidate.jdstarthist": JD - 0.125,
        "candidate.magpsf": 14.0,  # -16 at 10 Mpc
        "near_galaxy_lum_dist": 10.0,
        "galactic_latitude": -10.5,
        "ecliptic_latitude": 40.0,
    },
    "rate_based_kn_candidates": {
        **FADING,
        "cdsxmatch": "Unknown",
        "is_sdss_star": False,
        "candidate.jdstarthist": JD - 1.0,
        "candidate.ndethist": 2,
        "candidate.drb": 0.95,
        "candidate.classtar": 0.8,
        "candidate.ssdistnr": -999.0,
        "galactic_latitude": 10.5,
    },
    "yso_spicy_candidates": {**R_POINTS, "spicy_class": "ClassII", "lc_features_r.linear_fit_slope": 0.25},
    "fast_riser_candidates": {**RISING, **PLACE, "candidate.drb": 0.6, "candidate.jdstarthist": JD - 60.0},
}
"""Of each filter an alert that passes; those that need stamps are in another file."""

REFUSED: dict[str, list[Row]] = {
    "blazar": [{"cdsxmatch": name} for name in ("Unknown", "QSO", "blazar", "")],
    "simbad_grav_candidates": [{"cdsxmatch": name} for name in ("Unknown", "Blazar", "Lens")],
    "yso_candidates": [{"cdsxmatch": name} for name in ("YSO", "TTau*", "Unknown")],
    "first_pass_candidates": [{"roid": flag} for flag in (0, 2, 3)],
    "sso_fink_candidates": [{"roid": flag} for flag in (0, 1, 3)],
    "sso_ztf_candidates": [{"roid": flag} for flag in (0, 1, 2)],
    "microlensing_candidates": [{"mulens": 0.0}, {"mulens": -1.0}],
    "tns_match": [{"tns": ""}, {"candidate.jdstarthist": JD - 30.5}],
    "unknowns": [{"finkclass": "SN candidate"}, {"finkclass": "Ambiguous"}, {"cdsxmatch": "RRLyr"}],
    "vra": [
        {"candidate.magpsf": 19.5},
        {"candidate.drb": 0.5},
        {"roid": 3},
        {"cdsxmatch": "Galaxy"},
        {"cdsxmatch": "Star"},
    ],
    "magnetic_cvs": [{"magnetic_cv": "Unknown"}, {"candidate.isdiffpos": "f"}, {"candidate.isdiffpos": "0"}],
    "sn_candidates": [
        {"snn_snia_vs_nonia": 0.5, "snn_sn_vs_all": 0.5},
        {"cdsxmatch": "Star"},
        {"cdsxmatch": "Fail 504"},
        {"candidate.drb": 0.5},
        {"candidate.classtar": 0.4},
        {"candidate.jdstarthist": JD - 90.5},
        {"candidate.ndethist": 1},
        {"roid": 3},
    ],
    "early_sn_candidates": [
        {"snn_snia_vs_nonia": 0.5, "snn_sn_vs_all": 0.5},
        {"cdsxmatch": "Star"},
        {"candidate.drb": 0.5},
        {"candidate.classtar": 0.4},
        {"candidate.ndethist": 21},
        {"rf_snia_vs_nonia": 0.5},
    ],
    "kn_candidates": [
        {"rf_kn_vs_nonkn": 0.5},
        {"candidate.drb": 0.5},
        {"candidate.classtar": 0.4},
        {"candidate.jdstarthist": JD - 5.0},
        {"candidate.ndethist": 20},
        {"roid": 3},
        {"cdsxmatch": "Star"},
    ],
    "early_kn_candidates": [
        {"candidate.drb": 0.5},
        {"candidate.classtar": 0.4},
        {"candidate.jdstarthist": JD - 0.25},
        {"roid": 3},
        {"cdsxmatch": "Star"},
        {"candidate.magpsf": 13.0},
        {"candidate.magpsf": 15.0},
        {"is_sdss_star": True},
        {"galactic_latitude": -10.0},
        {"ecliptic_latitude": 10.0},
        {"near_galaxy_lum_dist": 0.0},
    ],
    "rate_based_kn_candidates": [
        {"candidate.drb": 0.9},
        {"candidate.classtar": 0.4},
        {"candidate.jdstarthist": JD - 5.0},
        {"candidate.ndethist": 20},
        {"candidate.isdiffpos": "f"},
        {"candidate.ssdistnr": 10.0},
        {"candidate.ssdistnr": 0.0},
        {"galactic_latitude": 10.0},
        {"cdsxmatch": "Star"},
        {"is_sdss_star": True},
        {"candidate.magpsf": 18.2},
        {"candidate.magpsf": 21.5},
        {"candidate.magnr": -999.0},
        {"prv_candidates.jd": np.array([JD - 0.4])},
        {"prv_candidates.fid": np.array([1.0])},
        {"prv_candidates.magpsf": np.array([np.nan])},
    ],
    "yso_spicy_candidates": [
        {"spicy_class": "Unknown"},
        {"lc_features_r.linear_fit_slope": 0.025},
        {"lc_features_r.linear_fit_slope": -0.025},
        {"candidate.magpsf": 15.0},
        {"candidate.fid": 1},
        {"prv_candidates.magpsf": np.array([16.0, 16.5, np.nan, 17.5])},
        {"candidate.magpsf": 16.0, "prv_candidates.magpsf": np.array([16.0] * 4)},
    ],
    "fast_riser_candidates": [
        {"cdsxmatch": "Star"},
        {"roid": 2},
        {"roid": 3},
        {"candidate.drb": 0.5},
        {"candidate.jdstarthist": JD - 60.5},
        {"candidate.magpsf": 18.125},
        {"candidate.magpsf": 19.0},
        {"candidate.fid": 1},
        {"prv_candidates.jd": np.array([JD - 0.01])},
        {"prv_candidates.magpsf": np.array([np.nan])},
    ],
}
"""Of each filter what makes that alert fail, bounds included."""

STILL_PASSING: dict[str, list[Row]] = {
    "blazar": [{"cdsxmatch": name} for name in ("Blazar", "Blazar_Candidate", "BLLac_Candidate")],
    "yso_candidates": [{"cdsxmatch": name} for name in ("Candidate_YSO", "Candidate_TTau*", "YSO_Candidate")],
    "tns_match": [{"candidate.jdstarthist": JD - 30.0}],
    "unknowns": [{"cdsxmatch": "Transient"}, {"cdsxmatch": "Galaxy"}],
    "magnetic_cvs": [{"candidate.isdiffpos": "1"}],
    "sn_candidates": [
        {"snn_snia_vs_nonia": 0.1, "snn_sn_vs_all": 0.6},
        {"snn_snia_vs_nonia": None, "snn_sn_vs_all": 0.6},
        {"candidate.jdstarthist": JD - 90.0},
        {"roid": 2},
        {"cdsxmatch": "SN*_Candidate"},
    ],
    "early_kn_candidates": [{"galactic_latitude": 11.0, "ecliptic_latitude": -11.0}],
    "rate_based_kn_candidates": [{"candidate.ssdistnr": 10.5}, {"candidate.magpsf": 18.31}],
    "yso_spicy_candidates": [
        {"lc_features_r.linear_fit_slope": -0.026},
        {"prv_candidates.fid": np.array([2.0, 2.0, 1.0, 2.0, 2.0]), "prv_candidates.jd": np.r_[STEADY, JD - 1],
         "prv_candidates.magpsf": np.array([16.0, 16.5, 0.0, 17.5, 17.7])},
    ],
    "fast_riser_candidates": [
        {"candidate.magpsf": 12.0},
        {"prv_candidates.jd": np.array([JD + 1.0]), "prv_candidates.magpsf": np.array([17.0])},
    ],
}  # fmt: skip
WITH_STAMPS = {"new_hostless", "intra_night_hostless", "inter_night_hostless"}
MAY_BE_NULL = {
    # Either score is enough, and what has no history has its own point.
    "sn_candidates": {"snn_sn_vs_all"},
    "early_sn_candidates": {"snn_sn_vs_all"},
}


def _passes(name: str, *rows: Row) -> list[bool]:
    paths = list(PASSING[name])
    frame = pd.DataFrame({path: pd.Series([row[path] for row in rows], dtype=object) for path in paths})
    for path in paths:
        if not isinstance(PASSING[name][path], str | bool | np.ndarray):
            frame[path] = frame[path].astype("float64")
    verdicts = judge(frame, [get_filter(name)])
    assert verdicts.failed == [{}] * len(rows)
    return [passed == [name] for passed in verdicts.passed]


def test_every_filter_has_its_examples() -> None:
    assert {item.name for item in filters()} == PASSING.keys() | WITH_STAMPS
    assert PASSING.keys() == REFUSED.keys()
    assert {name: set(get_filter(name).inputs) for name in PASSING} == {n: set(row) for n, row in PASSING.items()}


@pytest.mark.parametrize("name", sorted(PASSING))
def test_what_the_rule_lets_pass_passes_and_a_change_beyond_a_bound_does_not(name: str) -> None:
    base = PASSING[name]
    good = [base, *({**base, **change} for change in STILL_PASSING.get(name, []))]
    assert _passes(name, *good) == [True] * len(good)
    for change in REFUSED[name]:
        assert _passes(name, base, {**base, **change}) == [True, False], change


@pytest.mark.parametrize("name", sorted(PASSING))
def test_a_null_passes_no_filter(name: str) -> None:
    base = PASSING[name]
    for path in base.keys() - MAY_BE_NULL.get(name, set()):
        assert _passes(name, {**base, path: None}, base) == [False, True], path


@pytest.mark.parametrize("name", sorted(PASSING))
def test_an_alert_is_judged_alike_in_any_company(name: str) -> None:
    base = PASSING[name]
    rows = [base, *({**base, **change} for change in REFUSED[name]), base]
    assert _passes(name, *rows) == [alone for row in rows for alone in _passes(name, row)]
