"""A stage by itself: batches made by hand, tables of its own."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from fink_dagster.lake.lake import Lake
from fink_dagster.stages.stage import NightContext
from fink_dagster.surveys.base import Night
from tests.toy import ztf_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings

TOPIC = "ztf_20180819_programid1"
NIGHT = Night("2018-08-19")
MESSAGES = (
    "topic string, partition int, offset long, timestamp timestamp, "
    "headers array<struct<key:string,value:binary>>, value binary"
)


@pytest.fixture
def context(request: pytest.FixtureRequest, spark: SparkSession, settings: Settings) -> NightContext:
    """A night of a survey with tables of its own, named after the test."""
    survey = ztf_named(request.node.name[:60].partition("[")[0])
    lake = Lake(spark, settings, survey)
    lake.create()
    return NightContext(spark, settings, survey, NIGHT, lake)


@pytest.fixture
def batch_of(spark: SparkSession) -> Callable[..., DataFrame]:
    """Messages as Kafka gives them, one partition, offsets from ``start``."""

    def make(messages: list[bytes], start: int = 0, topic: str = TOPIC) -> DataFrame:
        now = dt.datetime.now(dt.UTC)
        rows = [(topic, 0, start + place, now, [("source", b"x")], bytearray(m)) for place, m in enumerate(messages)]
        return spark.createDataFrame(rows, MESSAGES)

    return make
