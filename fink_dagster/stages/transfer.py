"""Past alerts to a topic of their own, for fink-client's data transfer: chosen, packed, sent, counted.

Alerts leave through Spark's Kafka sink, without a transaction: fink-client counts messages and compares them with
offsets, and the markers of a transaction, which take offsets too, keep it waiting for ever. What a sink that repeats a
task would send twice is found by counting. The schema topic, without which fink-client begins nothing, is written last.
What of an alert is sent is said in ``contents``, what the topics are in ``kafka.transfers``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import distribution_client, spark_options
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import BROKERS_OWN, MAX_MESSAGE_BYTES, offsets
from fink_dagster.kafka.transfers import PARTITIONS, create_transfer, publish_schema, remove_transfer
from fink_dagster.kafka.user_topics import DAY_MS
from fink_dagster.lake.reading import newest
from fink_dagster.stages.contents import carried
from fink_dagster.stages.judgement import judgement
from fink_dagster.stages.wire import avro_schema, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pyspark.sql import DataFrame

    from fink_dagster.filters.filter import Filter
    from fink_dagster.lake.lake import Lake
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

    Step = Callable[[str, int, Callable[[], int]], AbstractContextManager[None]]

TABLE = "science_alerts"
ALERTS_A_PARTITION = 1000
"""At the end of each partition that holds something fink-client waits ten seconds: few alerts go to few of them."""
_SINK = {
    "kafka.compression.type": "lz4",
    "kafka.max.request.size": str(MAX_MESSAGE_BYTES),
    "kafka.acks": "all",
    "kafka.enable.idempotence": "true",  # a request repeated by the producer is stored once
}


def science_alerts(lake: Lake, nights: Sequence[Night]) -> DataFrame:
    """Return the science alerts of nights as they are now, also after somebody has changed them.

    Raises
    ------
    OperationError
        When there are no science alerts at all.
    """
    from pyspark.sql import functions as F

    snapshot = newest(lake.reader.table(TABLE))
    if snapshot is None:
        message = f"transfer: science_alerts of {lake.survey.name} must hold alerts; it holds none; stream a night"
        raise OperationError(message)
    rows = lake.spark.read.option("versionAsOf", str(snapshot)).table(lake.name(TABLE))
    return rows.where(F.col("night").isin([night.key for night in nights]))


def chosen(rows: DataFrame, item: Filter | None) -> tuple[DataFrame, int]:
    """Return the alerts that pass a filter, or all without one, and how many they are.

    Raises
    ------
    OperationError
        When the filter fails on some, or none is left.
    """
    from pyspark.sql import functions as F

    if item is None:
        kept, number, error = rows, rows.count(), None
    else:
        judged = rows.withColumn("_judged", judgement([item]))
        passes, why = F.array_contains("_judged.passed", item.name), F.col("_judged.failed")[item.name]
        number, error = judged.agg(F.count_if(passes), F.first(why, ignorenulls=True)).first() or (0, None)
        kept = judged.where(passes).drop("_judged")
    if error is not None:
        message = f"filter {item.name if item else ''}: must judge every alert; it failed with {error}; mend it first"
        raise OperationError(message)
    if not number:
        message = "transfer: must have alerts to send; of these nights none passes; name other nights or another filter"
        raise OperationError(message)
    return kept, number


def transfer(
    settings: Settings,
    survey: Survey,
    rows: DataFrame,
    paths: Sequence[str],
    *,
    topic: str,
    number: int,
    step: Step,
) -> None:
    """Send alerts to a topic of their own; if it cannot be done to the alert, nothing is left of it.

    Parameters
    ----------
    settings : Settings
        Say which Kafka, and how long it keeps a transfer.
    survey : Survey
        Whose alerts.
    rows : DataFrame
        The alerts.
    paths : sequence of str
        Columns that are sent of each.
    topic : str
        Where to; it must not be there yet.
    number : int
        How many alerts there are.
    step : callable
        Given what is done, for how many alerts, and how to ask for how many it has been done; the work is done within.

    Raises
    ------
    UserError
        When the topic is there.
    TransientError
        When no broker answers.
    OperationError
        When a message cannot be stored, or the topic does not hold each alert once.
    """
    config, replication = distribution_client(settings), settings.topic_replication or BROKERS_OWN
    kept = {"retention_ms": round(settings.transfer_retention_days * DAY_MS), "replication": replication}
    schema = avro_schema(rows.select(*carried(rows.schema, paths)))
    create_transfer(config, topic, **kept)
    try:
        with step("sending", number, partial(_arrived, config, topic)):
            partitions = min(PARTITIONS, -(-number // ALERTS_A_PARTITION))
            _send(messages(rows, paths, schema, survey, topic, partitions), settings, topic)
        _must_hold(config, topic, number, step)
        publish_schema(config, topic, schema, **kept)
    except BaseException:
        _take_back(config, topic)
        raise


def messages(
    rows: DataFrame, paths: Sequence[str], schema: str, survey: Survey, topic: str, partitions: int
) -> DataFrame:
    """Return alerts as messages of a transfer: the key is the topic's name, the value schemaless Avro.

    A task that is repeated sends an alert to the same partition.
    """
    from pyspark.sql import functions as F

    headers = [
        F.struct(F.lit(name).alias("key"), F.col(name).cast("string").cast("binary").alias("value"))
        for name in (survey.identifier, "night")
    ]
    return rows.select(
        F.lit(topic).alias("key"),
        packed(carried(rows.schema, paths), schema).alias("value"),
        F.pmod(F.xxhash64(survey.identifier), F.lit(partitions)).cast("int").alias("partition"),
        F.array(*headers).alias("headers"),
    )


def _send(rows: DataFrame, settings: Settings, topic: str) -> None:
    options = spark_options(settings.distribution_kafka, settings.distribution_kafka_address)
    try:
        rows.write.format("kafka").options(**options, **_SINK).option("topic", topic).save()
    except (PySparkException, Py4JJavaError) as error:
        cause = str(error).partition("Caused by: ")[2] or str(error)
        message = f"topic {topic}: must take every alert; got {cause.splitlines()[0][:300]!r}; the transfer is removed"
        raise OperationError(message) from None


def _take_back(config: dict[str, str], topic: str) -> None:
    try:
        remove_transfer(config, topic)
    except OperationError as error:
        way_out = f"later, run `fink-dagster transfer --remove {topic}`"
        message = f"topic {topic}: must be removed, as the transfer is not whole; got '{error}'; {way_out}"
        raise OperationError(message) from None


def _arrived(config: dict[str, str], topic: str) -> int:
    """Return how far the sending has come, for who watches; what is right is counted afterwards."""
    try:
        return sum(end for _, end in offsets(config, topic).values())
    except OperationError:
        return 0


def _must_hold(config: dict[str, str], topic: str, number: int, step: Step) -> None:
    found = 0
    with step("counting", number, lambda: found):
        for _ in read_all(config, topic):
            found += 1
    if found != number:
        message = f"topic {topic}: must hold {number} alerts; it held {found} and is removed; start the transfer again"
        raise OperationError(message)
