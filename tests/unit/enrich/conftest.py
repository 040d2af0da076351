"""Alerts as a scientist has them: the sample packets as tarball, folder, one Avro file, Parquet."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.science.frame import alert_type
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place
from tests.packets import decoded

SCHEMA = by_place(get_survey("ztf").alert_schema)


def alerts_in(packets: list[bytes]) -> list[dict[str, Any]]:
    return [decoded(packet)[1] for packet in packets]


def avro_file(path: Path, packets: list[bytes], codec: str = "null", block_bytes: int = 200_000) -> Path:
    """Write all alerts of some packets into one container, some to a block."""
    schema, _ = decoded(packets[0])
    with path.open("wb") as file:
        fastavro.writer(file, schema, alerts_in(packets), codec=codec, sync_interval=block_bytes)
    return path


def table_of(packets: list[bytes], *columns: str) -> pa.Table:
    """Return alerts as rows: these columns, or all the survey declares."""
    names = columns or tuple(field["name"] for field in SCHEMA["fields"])
    return pa.Table.from_pylist(alerts_in(packets), pa.schema(list(alert_type(SCHEMA, names))))


def container_of(*records: dict[str, Any], schema: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.writer(out, schema, records)
    return out.getvalue()


@pytest.fixture
def folder_of_packets(tmp_path: Path, packets: list[bytes]) -> Path:
    folder = tmp_path / "packets"
    folder.mkdir()
    for number, packet in enumerate(packets):
        (folder / f"{number:03}.avro").write_bytes(packet)
    return folder


@pytest.fixture
def parquet_file(tmp_path: Path, packets: list[bytes]) -> Path:
    path = tmp_path / "alerts.parquet"
    pq.write_table(table_of(packets), path, row_group_size=11)
    return path
