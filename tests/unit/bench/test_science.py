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
    rates, about = science(alerts, Settings(data=tmp_path, catalogues=tmp_path), 2)
    assert set(about["modules"]) == {module.name for module in modules()}
    assert (len(rates), min(rates) > 0) == (2, True)
    assert all(row["alone"] is None or row["alone"] > 0 for row in about["modules"].values())


def _alerts(packet: bytes) -> list[dict]:
    return [dict(alert) for alert in fastavro.reader(io.BytesIO(packet))]
