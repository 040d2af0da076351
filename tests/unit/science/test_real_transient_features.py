"""Marks of transients against upstream's own values and known counts, collected where the real alerts are at hand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fink_dagster.science import nalerthist, roid, transient_features
from tests.alerts import enriched, night, upstreams

MODULES = [nalerthist.MODULE, roid.MODULE, transient_features.MODULE]


def _marks(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    return enriched(alerts, MODULES)


def test_transients_are_upstreams_on_alerts_it_enriched() -> None:
    alerts = upstreams()
    expected = [alert["is_transient"] for alert in alerts]
    assert _marks(alerts)["is_transient"].tolist() == expected
    assert (len(expected), sum(expected)) == (31, 9)


def test_6_of_the_499_alerts_of_a_night_without_drb_are_transients() -> None:
    marks = _marks(night("ztf_public_20181129.tar.gz"))
    assert len(marks) == 499
    assert {name: int(marks[name].sum()) for name in marks if name not in ("roid", "nalerthist")} == {
        "faint": 45,
        "positivesubtraction": 314,
        "real": 437,
        "pointunderneath": 291,
        "brightstar": 143,
        "variablesource": 114,
        "stationary": 179,
        "is_transient": 6,
    }
