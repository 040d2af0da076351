"""All modules at once on real alerts: upstream's own values, known counts, and the same in any company."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fink_dagster.science.registry import modules
from fink_dagster.science.run import run_modules
from tests.alerts import enriched, frame, night, upstreams


def test_values_are_upstreams_on_alerts_it_enriched() -> None:
    alerts = upstreams()
    added = enriched(alerts, modules())
    for name in ("roid", "nalerthist", "jd_first_real_det", "jdstarthist_dt", "from_upper", "is_transient"):
        assert added[name].tolist() == [alert[name] for alert in alerts], name
    assert len(alerts) == 31


def test_98_of_the_291_alerts_that_pass_the_cuts_of_a_night_are_known_asteroids() -> None:
    alerts = night("ztf_public_20181129.tar.gz")
    good = [
        alert
        for alert in alerts
        if alert["candidate"]["nbad"] == 0 and alert["candidate"]["rb"] >= 0.55 and alert["candidate"]["fid"] != 3
    ]
    added = enriched(good, modules())
    assert (len(alerts), len(good), int((added["roid"] == 3).sum())) == (499, 291, 98)
    assert int((added["finkclass"] == "Solar System MPC").sum()) == 98


def test_an_alert_has_the_same_values_in_any_company() -> None:
    alerts = upstreams() + night("ztf_public_20231012.tar.gz")
    whole = enriched(alerts, modules())
    order = np.random.default_rng(7).permutation(len(alerts))
    parts = [enriched([alerts[place] for place in part], modules()) for part in np.array_split(order, 9)]
    apart = pd.concat(parts, ignore_index=True).set_index(order).sort_index()
    pd.testing.assert_frame_equal(whole, apart, check_exact=True)


def test_no_module_is_at_fault_on_any_real_alert() -> None:
    for name in ("20180819", "20181129", "20200101", "20231012"):
        ran = run_modules(frame(night(f"ztf_public_{name}.tar.gz"), modules()), modules())
        assert {code for cell in ran.status for code in cell.values()} <= {"no_catalogue"}
