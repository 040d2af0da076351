"""Whole nights through the four stages, in one Spark session, without Dagster."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fink_dagster.accounts.closing import close_night, open_night
from fink_dagster.lake.lake import Lake
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

TIMEOUT_SECONDS = 300.0


def stream_until_closed(spark: SparkSession, settings: Settings, survey: Survey, night: Night) -> Account:
    """Stream a night until it is drained, and close it."""
    streams = NightStreams(spark, settings, survey, night, "test")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    streams.start()
    try:
        while not streams.flow().drained:
            open_night(streams.lake, night, "test")
            streams.poll()
            assert time.monotonic() < deadline, (streams.flow(), streams.failures())
            time.sleep(0.5)
    finally:
        streams.stop()
    return close_night(streams.lake, settings, night, "test")


def snapshots(spark: SparkSession, settings: Settings, survey: Survey) -> dict[str, int | None]:
    """Return the newest snapshot of every table."""
    lake = Lake(spark, settings, survey)
    names = [row.tableName for row in spark.sql(f"SHOW TABLES IN fink.{survey.name}").collect()]
    return {name: lake.reader.table(name).metadata.current_snapshot_id for name in names}


@pytest.fixture
def closed(spark: SparkSession, settings: Settings) -> Callable[..., Account]:
    """Stream a night of a survey until it is closed and return its account."""

    def stream(night: Night, survey: Survey | None = None, **others: object) -> Account:
        changed = settings.model_copy(update=others) if others else settings
        account = stream_until_closed(spark, changed, survey or get_survey("ztf"), night)
        return replace(account, state="", why_open=account.why_open)

    return stream
