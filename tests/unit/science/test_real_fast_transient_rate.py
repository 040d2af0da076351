"""Rates against upstream's own on real alerts; collected where those alerts are at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.fast_transient_rate import MODULE
from tests.alerts import enriched, upstreams

DRAWN = ["mag_rate", "lower_rate", "upper_rate"]


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    return upstreams()


@pytest.fixture(scope="module")
def upstream(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    names = [out.name for out in MODULE.outputs]
    return pd.DataFrame({name: [alert[name] for alert in alerts] for name in names})


@pytest.fixture(scope="module")
def ours(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    columns = enriched(alerts, [MODULE])
    assert len(columns) == 31
    return columns


def test_first_detections_are_upstreams(upstream: pd.DataFrame, ours: pd.DataFrame) -> None:
    assert ours["jd_first_real_det"].tolist() == upstream["jd_first_real_det"].tolist()
    assert ours["jdstarthist_dt"].tolist() == upstream["jdstarthist_dt"].tolist()


def test_rates_are_null_where_upstreams_are_and_their_points_the_same(
    upstream: pd.DataFrame, ours: pd.DataFrame
) -> None:
    without = upstream["mag_rate"].isna()
    assert without.sum() == 11
    for name in [*DRAWN, "sigma_rate", "delta_time"]:
        assert ours[name].isna().tolist() == without.tolist()
    assert ours["delta_time"][~without].tolist() == upstream["delta_time"][~without].tolist()
    assert ours["from_upper"].tolist() == upstream["from_upper"].tolist()


def _away(name: str, upstream: pd.DataFrame, ours: pd.DataFrame) -> list[float]:
    """Return how far our values are from upstream's, in its errors, on the 20 alerts with a rate."""
    there = upstream["mag_rate"].notna()
    away = (ours[name][there].astype(float) - upstream[name][there]).abs() / upstream["sigma_rate"][there]
    return away.tolist()


def test_rates_are_within_an_error_of_upstreams(upstream: pd.DataFrame, ours: pd.DataFrame) -> None:
    away = {name: np.array(_away(name, upstream, ours)) for name in DRAWN}
    assert away["mag_rate"].max() < 1
    assert away["upper_rate"].max() < 1
    assert (away["lower_rate"] < 1).sum() == 19


def test_the_one_lower_rate_further_off_is_of_an_alert_whose_magnitudes_upstream_contradicts(
    alerts: list[dict[str, Any]], upstream: pd.DataFrame, ours: pd.DataFrame
) -> None:
    row = 21
    now, before = alerts[row]["candidate"], alerts[row]["prv_candidates"]
    last = next(point for point in reversed(before) if point["fid"] == now["fid"])
    plain = (now["magpsf"] - last["magpsf"]) / (now["jd"] - last["jd"])
    assert plain == pytest.approx(-0.038, abs=1e-3)
    assert ours["mag_rate"][row] == pytest.approx(plain, abs=0.01)
    assert upstream["mag_rate"][row] > 0.1


def test_errors_between_detections_are_those_of_their_magnitudes(
    alerts: list[dict[str, Any]], upstream: pd.DataFrame, ours: pd.DataFrame
) -> None:
    for row in np.flatnonzero(~upstream["from_upper"] & upstream["mag_rate"].notna()):
        now, before = alerts[row]["candidate"], alerts[row]["prv_candidates"]
        last = next(point for point in reversed(before) if point["fid"] == now["fid"])
        expected = np.hypot(now["sigmapsf"], last["sigmapsf"]) / ours["delta_time"][row]
        assert ours["sigma_rate"][row] == pytest.approx(expected, rel=0.06)
