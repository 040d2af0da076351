"""``fink-dagster demo``: one real night through all four stages, from nothing to its account."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Annotated

import typer

from fink_dagster.accounts.following import follow
from fink_dagster.accounts.nights import all_nights
from fink_dagster.commands.account import show
from fink_dagster.commands.night import progress
from fink_dagster.errors import OperationError
from fink_dagster.lake.reading import LakeReader
from fink_dagster.local import platform
from fink_dagster.local.jars import ensure_jars
from fink_dagster.local.samples import ensure_samples
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import open_source
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from fink_dagster.settings import Settings

NIGHT = Night("2018-08-19")
TIMEOUT_SECONDS = 600.0
OURS = {"catalog.db", "catalog.db-shm", "catalog.db-wal", "checkpoints", "dagster", "hbase", "kafka", "lake", "locks"}
OURS |= {"log", "run", "tmp"}


def demo(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove the data folder first; refused when it holds more.")
    ] = False,
) -> None:
    """Stream the 30 real ZTF packets of 2018-08-19 through the four stages and print the night's account.

    Starts what is not running and stops what it started. A second time it finds everything done.

    Example: fink-dagster demo
    """
    settings = load_settings()
    ensure_jars(settings, typer.echo)
    packets = ensure_samples(settings, typer.echo)
    joined = platform.is_up(settings)
    if fresh:
        _start_from_nothing(settings)
    try:
        platform.up(settings, typer.echo)
        survey = get_survey("ztf")
        result = replay(settings, survey, open_source(packets))
        typer.echo(f"replayed {packets.name}: sent {result.sent}, already there {result.skipped}")
        with progress(NIGHT) as report:
            follow(settings, survey, NIGHT, TIMEOUT_SECONDS, report)
        show(settings, survey, NIGHT)
    finally:
        if not joined:
            platform.down(settings, typer.echo)


def _start_from_nothing(settings: Settings) -> None:
    others = [night for night in all_nights(LakeReader(settings, "ztf")) if night != NIGHT.key]
    if others:
        held = ", ".join(others[:5])
        message = f"demo --fresh: the data folder must hold the demo's night alone; it holds {held}; set FINK_DATA"
        raise OperationError(message)
    strange = sorted(set(os.listdir(settings.data)) - OURS) if settings.data.exists() else []
    if strange:
        message = (
            f"demo --fresh: FINK_DATA must be a folder of the platform's own; it holds {strange[0]!r}; name another"
        )
        raise OperationError(message)
    platform.down(settings, typer.echo)
    shutil.rmtree(settings.data, ignore_errors=True)
