"""Features of light curves against upstream's own values, on real alerts; collected where those alerts are at hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from fink_dagster.science.lc_features import FEATURES, MODULE
from tests.alerts import enriched, upstreams

COLUMNS = [output.name for output in MODULE.outputs]


def _features(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    return enriched(alerts, [MODULE])


def _numbers(cells: list[dict[str, float | None] | None]) -> np.ndarray:
    absent = dict.fromkeys(FEATURES)
    return np.array([[(cell or absent)[name] for name in FEATURES] for cell in cells], dtype=np.float64)


def test_features_are_upstreams_on_alerts_it_enriched() -> None:
    alerts = upstreams()
    found = _features(alerts)
    assert len(alerts) == 31
    for name in COLUMNS:
        ours, theirs = _numbers(found[name].tolist()), _numbers([alert[name] for alert in alerts])
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=0, equal_nan=True, err_msg=name)
        assert np.isfinite(ours).any()


def test_a_cell_is_null_where_upstream_saw_no_point_of_the_band() -> None:
    alerts = upstreams()
    found = _features(alerts)
    for number, name in ((1, "lc_features_g"), (2, "lc_features_r")):
        seen = [
            number in {alert["candidate"]["fid"], *(point["fid"] for point in alert["prv_candidates"] or [])}
            for alert in alerts
        ]
        assert [cell is not None for cell in found[name]] == seen


def test_features_of_real_alerts_do_not_depend_on_the_batch() -> None:
    alerts = upstreams()
    together = _features(alerts)
    reversed_order = _features(alerts[::-1])
    alone = [_features([alert]) for alert in alerts]
    for name in COLUMNS:
        assert [frame[name][0] for frame in alone] == together[name].tolist() == reversed_order[name].tolist()[::-1]
