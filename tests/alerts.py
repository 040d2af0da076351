"""The real alerts beside the checkout, decoded, and what science modules make of them; for tests that have them."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.science.frame import alert_type, batch_of, frame_of
from fink_dagster.science.run import run_modules
from fink_dagster.surveys.avro import by_place, has_path
from fink_dagster.surveys.ztf import ZTF
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fink_dagster.science.module import Module


def upstreams() -> list[dict[str, Any]]:
    """Return 31 alerts with the values upstream added to them."""
    with (SHARED / "oracle/fink_enriched_20260322.avro").open("rb") as file:
        alerts: list[Any] = list(fastavro.reader(file))
    return alerts


def night(name: str) -> list[dict[str, Any]]:
    """Return the alerts of a survey's tarball."""
    alerts: list[Any] = []
    with tarfile.open(SHARED / name) as archive:
        for member in archive:
            packed = archive.extractfile(member)
            if packed is not None and member.name.endswith(".avro"):
                alerts += list(fastavro.reader(io.BytesIO(packed.read())))
    return alerts


def frame(alerts: Sequence[dict[str, Any]], modules: Sequence[Module]) -> pd.DataFrame:
    """Return the columns modules read."""
    schema = by_place(ZTF().alert_schema)
    paths = sorted({path for module in modules for path in module.reads if has_path(schema, path)})
    kind = alert_type(schema, paths)
    return frame_of(batch_of(alerts, kind), kind, paths)


def enriched(alerts: Sequence[dict[str, Any]], modules: Sequence[Module]) -> pd.DataFrame:
    """Return what modules add; none may have been at fault."""
    ran = run_modules(frame(alerts, modules), modules)
    assert not [failure for failure in ran.failures.values() if failure.is_fault]
    return ran.columns
