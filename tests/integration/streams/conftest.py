"""Whole nights through the four stages, in one Spark session, without Dagster."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from fink_dagster.accounts.closing import close_night
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.topics import ensure_topic
from fink_dagster.lake.lake import Lake
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.lake.quarantine import Selection
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

TIMEOUT_SECONDS = 300.0


def stream_until_closed(
    spark: SparkSession, settings: Settings, survey: Survey, night: Night, redriven: Selection | None = None
) -> Account:
    """Re-drive what is selected, stream a night until it is drained, and close it."""
    streams = NightStreams(spark, settings, survey, night, "test")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        streams.start(redriven)
        while not streams.flow().drained:
            streams.poll()
            assert time.monotonic() < deadline, (streams.flow(), streams.failures())
            time.sleep(0.5)
        streams.finish()
    finally:
        streams.stop()
    return close_night(streams.lake, settings, night, "test")


def produce(settings: Settings, topic: str, messages: list[bytes]) -> None:
    """Send messages as the survey would."""
    config = survey_client(settings)
    ensure_topic(config, topic, 2)
    producer = Producer({**config, "message.max.bytes": 10_000_000})
    for message in messages:
        producer.produce(topic, message)
    assert producer.flush(30) == 0


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
