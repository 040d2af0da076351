from __future__ import annotations

import io
from typing import TYPE_CHECKING

import fastavro

from bench.science import science
from fink_dagster.science.registry import modules
from fink_dagster.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_every_module_has_a_row_alone_and_among_the_others(packets: list[bytes], tmp_path: Path) -> None:
    alerts = [alert for packet in packets[:12] for alert in _alerts(packet)]
    found = science(alerts, Settings(data=tmp_path, catalogues=tmp_path), 1)
    assert set(found["modules"]) == {module.name for module in modules()}
    assert found["set"] > 0
    assert all(rates["alone"] is None or rates["alone"] > 0 for rates in found["modules"].values())


def _alerts(packet: bytes) -> list[dict]:
    return [dict(alert) for alert in fastavro.reader(io.BytesIO(packet))]
