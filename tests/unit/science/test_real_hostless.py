"""Numbers of real stamps, and which alerts upstream would look at; collected where the real alerts are at hand."""

from __future__ import annotations

import gzip
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.stats import sigma_clip

from fink_dagster.science.hostless import CANDIDATE_MODULE, MODULE
from fink_dagster.science.run import run_modules
from tests.alerts import night, upstreams


def _stamps(alerts: list[dict[str, Any]], kind: str) -> list[bytes]:
    return [alert[f"cutout{kind}"]["stampData"] for alert in alerts]


def _hostless(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame({"candid": [alert["candid"] for alert in alerts], "is_hostless_candidate": True})
    frame["cutoutScience.stampData"] = _stamps(alerts, "Science")
    frame["cutoutTemplate.stampData"] = _stamps(alerts, "Template")
    ran = run_modules(frame, [MODULE])
    assert ran.failures == {}
    return ran.columns


def _value(alert: dict[str, Any], path: str) -> Any:
    head, _, field = path.partition(".")
    return alert[head][field] if field else alert[head]


def test_10_of_the_31_alerts_upstream_enriched_are_candidates_all_of_them_named_supernovae() -> None:
    alerts = upstreams()
    paths = (*CANDIDATE_MODULE.inputs, *CANDIDATE_MODULE.optional)
    frame = pd.DataFrame({path: pd.Series([_value(alert, path) for alert in alerts]) for path in paths})
    ran = run_modules(frame, [CANDIDATE_MODULE])
    assert ran.failures == {}
    assert (len(alerts), int(ran.columns["is_hostless_candidate"].sum())) == (31, 10)


@pytest.mark.parametrize(
    ("name", "number", "unusable", "differing"),
    [("ztf_public_20231012.tar.gz", 24, 4, 13), ("ztf_public_20180819.tar.gz", 30, 6, 0)],
)
def test_stamps_beside_an_edge_are_not_judged_and_some_of_the_others_differ(
    name: str, number: int, unusable: int, differing: int
) -> None:
    found = _hostless(night(name))
    assert len(found) == number
    assert int(found["clipped_science"].isna().sum()) == unusable
    assert int(found["kstest_science"].notna().sum()) == differing
    assert found["kstest_science"].dropna().between(0, 1).all()


@pytest.mark.filterwarnings("ignore:Found a SIMPLE card")
def test_pixels_that_stand_out_are_those_astropy_clips_in_stamps_as_they_come() -> None:
    alerts = night("ztf_public_20231012.tar.gz")
    found = _hostless(alerts)
    for kind in ("Science", "Template"):
        for stamp, count in zip(_stamps(alerts, kind), found[f"clipped_{kind.lower()}"], strict=True):
            with fits.open(io.BytesIO(gzip.decompress(stamp))) as units:
                image = units[0].data
            if count is not pd.NA:
                once = sigma_clip(image, sigma=3, maxiters=10)
                assert np.ma.count_masked(sigma_clip(once, sigma=3, maxiters=10)) == count
