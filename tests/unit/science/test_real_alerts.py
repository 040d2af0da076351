"""Our values against upstream's own, and known counts, on real alerts; collected where those alerts are at hand."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import fastavro
import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.registry import modules
from fink_dagster.science.run import run_modules
from tests.conftest import SHARED

if not SHARED.is_dir():
    pytest.skip("the real alerts are not at hand", allow_module_level=True)


def _value(alert: dict[str, Any], path: str) -> Any:
    head, _, rest = path.partition(".")
    found = alert[head]
    if head == "prv_candidates":
        return None if found is None else np.array([point[rest] for point in found], dtype=np.float64)
    return found[rest]


def _enriched(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    paths = [path for module in modules() for path in module.inputs if "." in path]
    frame = pd.DataFrame({path: pd.Series([_value(alert, path) for alert in alerts]) for path in paths})
    added, failed = run_modules(frame, modules())
    assert failed == {}
    return added


def test_values_are_upstreams_on_alerts_it_enriched() -> None:
    with (SHARED / "oracle/fink_enriched_20260322.avro").open("rb") as file:
        alerts = list(fastavro.reader(file))
    added = _enriched(alerts)
    assert added["roid"].tolist() == [alert["roid"] for alert in alerts]
    assert added["nalerthist"].tolist() == [alert["nalerthist"] for alert in alerts]
    assert len(alerts) == 31


def test_98_of_the_291_alerts_that_pass_the_cuts_of_a_night_are_known_asteroids() -> None:
    alerts = []
    with tarfile.open(SHARED / "ztf_public_20181129.tar.gz") as archive:
        for member in archive:
            packed = archive.extractfile(member)
            if packed is not None and member.name.endswith(".avro"):
                alerts += list(fastavro.reader(io.BytesIO(packed.read())))
    good = [
        alert
        for alert in alerts
        if alert["candidate"]["nbad"] == 0 and alert["candidate"]["rb"] >= 0.55 and alert["candidate"]["fid"] != 3
    ]
    added = _enriched(good)
    assert (len(alerts), len(good), int((added["roid"] == 3).sum())) == (499, 291, 98)
