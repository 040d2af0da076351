"""The word an alert is given, against the rule of fink-filters written as a table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from fink_dagster.science.classification import MODULE
from fink_dagster.science.run import run_modules

PLAIN: dict[str, Any] = {
    "candidate.jd": 2460000.5,
    "candidate.jdstarthist": 2459990.5,
    "candidate.ndethist": 5,
    "candidate.drb": 0.9,
    "candidate.classtar": 0.9,
    "roid": 0,
    "cdsxmatch": "Unknown",
    "tracklet": "",
    "snn_snia_vs_nonia": 0.1,
    "snn_sn_vs_all": 0.1,
    "rf_snia_vs_nonia": 0.1,
    "rf_kn_vs_nonkn": 0.1,
    "mulens": 0.0,
}
SUPERNOVA = {"snn_sn_vs_all": 0.6}
KILONOVA = {"rf_kn_vs_nonkn": 0.6, "candidate.jdstarthist": 2460000.0}


def classified(*alerts: dict[str, Any]) -> list[str]:
    frame = pd.DataFrame(list(alerts))
    ran = run_modules(frame, [MODULE])
    assert ran.failures == {}
    return list(ran.columns["finkclass"])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "Unknown"),
        ({"mulens": 0.2}, "Microlensing candidate"),
        (SUPERNOVA, "SN candidate"),
        ({"snn_snia_vs_nonia": 0.6}, "SN candidate"),
        ({**SUPERNOVA, "rf_snia_vs_nonia": 0.6}, "Early SN Ia candidate"),
        (KILONOVA, "Kilonova candidate"),
        ({"roid": 2}, "Solar System candidate"),
        ({"roid": 3}, "Solar System MPC"),
        ({"tracklet": "TRCK_20260301_000000_00"}, "Tracklet"),
        ({"tracklet": "TRCK_20260301_000000_00", "roid": 3}, "Solar System MPC"),
        ({"roid": 2, "mulens": 0.2}, "Ambiguous"),
        ({**SUPERNOVA, "roid": 2}, "Ambiguous"),
        ({**SUPERNOVA, "roid": 3}, "Solar System MPC"),
        ({"cdsxmatch": "RRLyr", "roid": 3}, "RRLyr"),
        ({"cdsxmatch": "Transient", **SUPERNOVA}, "SN candidate"),
        ({"cdsxmatch": "Galaxy", **SUPERNOVA}, "SN candidate"),
        ({"cdsxmatch": "Galaxy_Candidate"}, "Unknown"),
        ({"cdsxmatch": "Fail 504"}, "Unknown"),
        ({"cdsxmatch": None, **SUPERNOVA}, "SN candidate"),
    ],
)
def test_an_alert_is_named_after_the_last_step_that_applies(changes: dict[str, Any], name: str) -> None:
    assert classified({**PLAIN, **changes}) == [name]


@pytest.mark.parametrize(
    "changes",
    [
        {"snn_sn_vs_all": 0.5},
        {"candidate.drb": 0.5},
        {"candidate.drb": None},
        {"candidate.classtar": 0.4},
        {"candidate.ndethist": 1},
        {"candidate.jdstarthist": 2459910.4},
        {"candidate.jdstarthist": None},
    ],
)
def test_a_supernova_needs_all_its_conditions(changes: dict[str, Any]) -> None:
    assert classified({**PLAIN, **SUPERNOVA}, {**PLAIN, **SUPERNOVA, **changes}) == ["SN candidate", "Unknown"]


def test_ninety_days_are_not_too_old() -> None:
    assert classified({**PLAIN, **SUPERNOVA, "candidate.jdstarthist": 2459910.5}) == ["SN candidate"]


@pytest.mark.parametrize(
    "changes", [{"candidate.ndethist": 20}, {"roid": 3, "cdsxmatch": "Unknown"}, {"candidate.jdstarthist": 2459995.5}]
)
def test_a_kilonova_is_new_and_no_asteroid(changes: dict[str, Any]) -> None:
    assert classified({**PLAIN, **KILONOVA, **changes}) != ["Kilonova candidate"]


def test_without_classifiers_and_catalogues_asteroids_are_still_named() -> None:
    alone = {name: PLAIN[name] for name in MODULE.inputs}
    assert classified(*({**alone, "roid": flag} for flag in (0, 1, 2, 3))) == [
        "Unknown",
        "Unknown",
        "Solar System candidate",
        "Solar System MPC",
    ]
