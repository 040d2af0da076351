"""What is measured: each a function that takes in every message of a topic and returns how many seconds that took.

``kafka_read`` is Spark's connector as it comes, ``udf_decode`` how the original broker decodes, ``stream2raw`` is our
first stage and ``chain`` all four at once. The last two are the platform's own classes, from the start of their
queries until nothing waits any more; each counts what it stored, since a speed at which alerts are lost is none.
"""

from __future__ import annotations

import io
import json
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.errors import OperationError
from fink_dagster.hbase.connection import connect
from fink_dagster.kafka.clients import survey_options
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.tables import tables
from fink_dagster.lake.types import sql_type
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.streams.night import NightStreams
from fink_dagster.streams.query import STOP_SECONDS, StageQuery
from fink_dagster.surveys.avro import as_reader, by_place
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

_LOOK_SECONDS = 0.1
_FLOW_SECONDS = 1.0
"""As often as the platform's own runs look; each look reads the lake and takes from the same cores."""


@dataclass(frozen=True)
class Task:
    """The messages of one night, waiting in Kafka.

    Parameters
    ----------
    spark : SparkSession
        One for all measures.
    settings : Settings
        Of the running servers.
    night : Night
        Its only topic holds the messages.
    number : int
        How many messages the topic holds.
    name : str
        Made for this round alone: names tables, checkpoints, user topics and the HBase table.
    """

    spark: SparkSession
    settings: Settings
    night: Night
    number: int
    name: str

    def survey(self) -> Survey:
        """Return ZTF under the round's name, so that it finds nothing done before."""
        survey = ZTF()
        survey.name = self.name
        return survey

    def messages(self) -> DataFrame:
        """Return the topic as a plain batch, by the same connector stream2raw reads with."""
        options = survey_options(self.settings)
        reader = self.spark.read.format("kafka").options(**options, subscribe=",".join(ZTF().topics(self.night)))
        return reader.option("startingOffsets", "earliest").option("endingOffsets", "latest").load()


def kafka_read(task: Task) -> float:
    """Read every message and add up the bytes, nothing else, with the connector's default options.

    Some of the time is no work: at the end of each partition the connector waits up to half a second for more, which
    stream2raw is spared by an option.
    """
    from pyspark.sql import functions as F

    start = time.monotonic()
    row = task.messages().agg(F.count("value").alias("read"), F.sum(F.length("value")).alias("bytes")).first()
    seconds = time.monotonic() - start
    _must_be_all(task, "kafka_read", row["read"] if row else 0)
    return seconds


def udf_decode(task: Task) -> float:
    """Decode as fink-broker's ``bin/ztf/stream2raw.py`` does: a Python UDF, fastavro on whole containers, Parquet."""
    from pyspark.sql import functions as F

    folder = task.settings.data / "udf" / task.name
    decode = F.udf(_decode, sql_type(as_reader(by_place(ZTF().alert_schema))), useArrow=False)
    try:
        start = time.monotonic()
        task.messages().select(decode("value").alias("alert")).select("alert.*").write.parquet(str(folder))
        seconds = time.monotonic() - start
        stored = task.spark.read.parquet(str(folder)).where(F.col("candid").isNotNull()).count()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _must_be_all(task, "udf_decode", stored)
    return seconds


def stream2raw(task: Task) -> float:
    """Run the stage as its own streaming query, from the topic's first message to its last."""
    with _tables(task) as lake:
        stage = Stream2Raw(NightContext(task.spark, task.settings, lake.survey, task.night, lake))
        folder = task.settings.checkpoints(lake.survey.name, task.night.key) / stage.name
        query = StageQuery(stage, folder, task.settings.trigger_seconds)
        start = time.monotonic()
        query.start()
        try:
            _until(lambda: _is_done(query, task), query)
            seconds = time.monotonic() - start
        finally:
            query.stop(time.monotonic() + STOP_SECONDS)
        _must_be_all(task, "stream2raw", lake.reader.count_night("raw_alerts", task.night.key))
    return seconds


def chain(task: Task) -> float:
    """Run all four stages at once, as a night is run, until none has anything left to do."""
    with _tables(task) as lake:
        streams = NightStreams(task.spark, task.settings, lake.survey, task.night, "bench")
        start = time.monotonic()
        try:
            streams.start()
            while not streams.flow().drained:
                time.sleep(_FLOW_SECONDS)
                streams.poll()
                _must_not_fail(streams.failures())
            seconds = time.monotonic() - start
        finally:
            streams.stop()
        _must_be_all(task, "chain", streams.flow().raw2science.read)
    return seconds


MEASURES: dict[str, Callable[[Task], float]] = {
    measure.__name__: measure for measure in (kafka_read, udf_decode, stream2raw, chain)
}
"""In the order in which each round takes them."""


def _decode(message: bytes) -> dict[str, Any]:
    alert: Any = next(fastavro.reader(io.BytesIO(message)))
    return dict(alert)


@contextmanager
def _tables(task: Task) -> Iterator[Lake]:
    """Make the round's tables, and drop them with all that was written under the round's name."""
    survey = task.survey()
    lake = Lake(task.spark, task.settings, survey)
    lake.create()
    try:
        yield lake
    finally:
        for table in tables(survey):
            task.spark.sql(f"DROP TABLE IF EXISTS {lake.name(table)} PURGE")
        for folder in (task.settings.data / "checkpoints" / survey.name, task.settings.data / "lake" / survey.name):
            shutil.rmtree(folder, ignore_errors=True)
        _drop_archive(task)


def _drop_archive(task: Task) -> None:
    connection = connect(*task.settings.hbase)
    try:
        if task.name.encode() in connection.tables():
            connection.delete_table(task.name, disable=True)
    finally:
        connection.close()


def _is_done(query: StageQuery, task: Task) -> bool:
    """Tell whether the newest committed batch ends where the topic does."""
    (topic,) = task.survey().topics(task.night)
    committed = query.checkpoint.committed().get(topic, {}) if query.checkpoint else {}
    return sum(committed.values()) >= task.number


def _until(done: Callable[[], bool], query: StageQuery) -> None:
    while not done():
        time.sleep(_LOOK_SECONDS)
        query.poll()
        _must_not_fail({query.stage.name: query.failure} if query.failure else {})


def _must_not_fail(failures: dict[str, str]) -> None:
    if failures:
        message = f"bench: every batch must get through at once; got {json.dumps(failures)}; mend that first"
        raise OperationError(message)


def _must_be_all(task: Task, name: str, stored: int) -> None:
    if stored != task.number:
        message = f"bench {name}: must take in {task.number} messages; got {stored}; its speed would mean nothing"
        raise OperationError(message)
