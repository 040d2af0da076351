"""Measures of what takes in every message of a topic: the connector, the original's way, our first stage, all four.

``kafka_read`` is Spark's connector as it comes, ``udf_decode`` how the original broker decodes, ``stream2raw`` is our
first stage and ``chain`` all four at once. The last two are the platform's own classes, from the start of their
queries until nothing waits any more; each counts what it stored, since a speed at which alerts are lost is none.
"""

from __future__ import annotations

import io
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import fastavro

from bench.leftovers import drop_from_lake, remove_outputs
from bench.queries import FLOW_SECONDS, LOOK_SECONDS, has_read, run_until
from bench.task import Outcome, must_be_all, must_not_fail
from fink_dagster.kafka.clients import survey_options
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.tables import tables
from fink_dagster.lake.types import sql_type
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.avro import as_reader, by_place
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame

    from bench.task import Task


def kafka_read(task: Task) -> Outcome:
    """Read every message and add up the bytes, nothing else, with the connector's default options.

    Some of the time is no work: at the end of each partition the connector waits up to half a second for more, which
    stream2raw is spared by an option.
    """
    from pyspark.sql import functions as F

    start = time.monotonic()
    row = _messages(task).agg(F.count("value").alias("read"), F.sum(F.length("value")).alias("bytes")).first()
    seconds = time.monotonic() - start
    must_be_all("kafka_read", task.number, row["read"] if row else 0)
    return Outcome(task.number, seconds)


def udf_decode(task: Task) -> Outcome:
    """Decode as fink-broker's ``bin/ztf/stream2raw.py`` does: a Python UDF, fastavro on whole containers, Parquet."""
    from pyspark.sql import functions as F

    folder = task.settings.data / "udf" / task.name
    decode = F.udf(_decode, sql_type(as_reader(by_place(ZTF().alert_schema))), useArrow=False)
    try:
        start = time.monotonic()
        _messages(task).select(decode("value").alias("alert")).select("alert.*").write.parquet(str(folder))
        seconds = time.monotonic() - start
        stored = task.spark.read.parquet(str(folder)).where(F.col("candid").isNotNull()).count()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    must_be_all("udf_decode", task.number, stored)
    return Outcome(task.number, seconds)


def stream2raw(task: Task) -> Outcome:
    """Run the stage as its own streaming query, from the topic's first message to its last."""
    with _tables(task) as lake:
        context = NightContext(task.spark, task.settings, lake.survey, task.night, lake)
        seconds = run_until(context, Stream2Raw(context), has_read(task.number), look_seconds=LOOK_SECONDS)
        must_be_all("stream2raw", task.number, lake.reader.count_night("raw_alerts", task.night.key))
    return Outcome(task.number, seconds)


def chain(task: Task) -> Outcome:
    """Run all four stages at once, as a night is run, until none has anything left to do."""
    with _tables(task) as lake:
        streams = NightStreams(task.spark, task.settings, lake.survey, task.night, "bench")
        start = time.monotonic()
        try:
            streams.start()
            while not streams.flow().drained:
                time.sleep(FLOW_SECONDS)
                streams.poll()
                must_not_fail(streams.failures())
            seconds = time.monotonic() - start
        finally:
            streams.stop()
        must_be_all("chain", task.number, streams.flow().raw2science.read)
    return Outcome(task.number, seconds)


OF_MESSAGES: dict[str, Callable[[Task], Outcome]] = {
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
        drop_from_lake(lake, tables(survey))
        shutil.rmtree(task.settings.data / "lake" / survey.name, ignore_errors=True)
        remove_outputs(task.settings, survey.name, task.night)


def _messages(task: Task) -> DataFrame:
    """Return the topic as a plain batch, by the same connector stream2raw reads with."""
    options = survey_options(task.settings)
    reader = task.spark.read.format("kafka").options(**options, subscribe=",".join(ZTF().topics(task.night)))
    return reader.option("startingOffsets", "earliest").option("endingOffsets", "latest").load()
