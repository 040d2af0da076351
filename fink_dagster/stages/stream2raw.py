"""stream2raw: every message of the night's topics into raw_alerts or into quarantine.

Here duplicates are chosen, once and for all, and schemas that were not seen before are remembered before the first row
that needs them. Nothing is cut and nothing is added but where the alert came from.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from fink_dagster.errors import FinkError
from fink_dagster.kafka.clients import spark_options, survey_client
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.lake.lake import Append
from fink_dagster.stages import decoding
from fink_dagster.stages.seen import Coordinate, SeenAlerts
from fink_dagster.stages.writers import KnownWriters

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import NightRule

NAME = "stream2raw"
_COORDINATE = ["topic", "partition", "offset"]


class SchemaWidened(FinkError):
    """A writer sent fields no table had; they have them now, and every query must start again to see them."""


class Stream2Raw:
    """The stage for one night.

    Parameters
    ----------
    context : NightContext
        The night and what to work with.
    """

    name = NAME

    def __init__(self, context: NightContext) -> None:
        self.context = context
        self.troubles: dict[str, str] = {}
        self.writers = KnownWriters(context.lake, context.survey)
        self.seen = SeenAlerts(context.lake, context.survey, context.settings.data / "locks" / context.survey.name)

    def topics(self) -> list[str]:
        """Return the topics of the night that exist."""
        names = self.context.survey.topics(self.context.night)
        return sorted(existing_topics(survey_client(self.context.settings), names))

    def source(self) -> DataFrame:
        """Return the night's topics from their earliest message, by concrete name."""
        settings = self.context.settings
        options = {
            **spark_options(settings.survey_kafka, settings.survey_kafka_address),
            "subscribe": ",".join(self.topics()),
            "startingOffsets": "earliest",
            "failOnDataLoss": "true",
            "maxOffsetsPerTrigger": str(settings.max_offsets_per_trigger),
            "includeHeaders": "true",
            "kafka.isolation.level": "read_committed",
        }
        return self.context.spark.readStream.format("kafka").options(**options).load()

    def has_rows(self) -> bool:
        """Tell whether messages of the night's topics are in the lake."""
        return self.context.lake.reader.has_topics(self.context.survey.topics(self.context.night))

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Write one batch of messages to raw_alerts and quarantine, each message to one of them.

        Raises
        ------
        SchemaWidened
            When the batch brought new fields; it must come again.
        """
        append = Append(NAME, batch.checkpoint, batch.number)
        messages = messages_of(rows)
        if batch.starts_over:
            listed = ", ".join(f"'{topic}'" for topic in self.topics())
            read_before = ("raw_alerts", "quarantine")
            messages = self.context.lake.not_in(messages, read_before, _COORDINATE, f"topic IN ({listed})")
        decoded = self._decode(messages).persist()
        try:
            read = self._read(decoded)
            if _lost(read) and self._learns_from(self._among(messages, _lost(read)), append):
                decoded.unpersist()
                decoded = self._decode(messages).persist()
                read = self._read(decoded)
            self._write(messages, decoded, read, append)
        finally:
            decoded.unpersist()

    def close(self) -> None:
        """Nothing is held."""

    def _decode(self, messages: DataFrame) -> DataFrame:
        return decoding.decode_in_jvm(messages, self.context.survey, self.writers.in_jvm, self.writers.reader)

    def _read(self, decoded: DataFrame) -> list[Row]:
        """Return coordinate, night and identifier of every message; the identifier is null where there is no alert."""
        from pyspark.sql import functions as F

        survey = self.context.survey
        night = night_column(survey.night_rule, "alert.")
        light = decoded.select(*_COORDINATE, night.alias("night"), F.col(f"alert.{survey.identifier}").alias("id"))
        return light.collect()

    def _among(self, messages: DataFrame, rows: list[Row]) -> DataFrame:
        """Return the messages at some coordinates, bytes and all; they are few, so the batch is read again for them."""
        from pyspark.sql import functions as F

        places = [tuple(row)[: len(_COORDINATE)] for row in rows]
        wanted = self.context.spark.createDataFrame(places, "topic string, partition int, offset long")
        return messages.join(F.broadcast(wanted), _COORDINATE, "left_semi")

    def _learns_from(self, lost: DataFrame, append: Append) -> bool:
        learned, widened = self.writers.learn(lost, append)
        if widened:
            message = "stream2raw: the tables have got new columns; every query starts again"
            raise SchemaWidened(message)
        return learned

    def _write(self, messages: DataFrame, decoded: DataFrame, read: list[Row], append: Append) -> None:
        """Write what the JVM decoded, and of the rest what Python makes of it."""
        lost = _lost(read)
        if not lost:
            self._append_raw(decoded, read, append)
            return
        judged = self._judge(self._among(messages, lost)).persist()
        saved = judged.where("code IS NULL")
        alerts = decoded.where("alert IS NOT NULL").unionByName(saved, allowMissingColumns=True)
        self._append_raw(alerts, [row for row in read if row.id is not None] + self._read(saved), append)
        self._append_quarantine(judged.where("code IS NOT NULL"), append)
        judged.unpersist()

    def _judge(self, lost: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        survey, reader = self.context.survey, self.writers.reader
        judged = decoding.decode_in_python(lost, survey, reader, self.context.settings.max_message_bytes)
        return judged.withColumn("alert", decoding.from_reader(F.col("body"), reader)).drop("body")

    def _append_raw(self, alerts: DataFrame, rows: list[Row], append: Append) -> None:
        lake, read = self.context.lake, [Coordinate(*row) for row in rows]
        with self.seen.exclusive():
            if not read or lake.appended("raw_alerts", append):
                return
            dated = alerts.withColumn("night", night_column(self.context.survey.night_rule, "alert."))
            marked = self._marked(dated.select("*", "alert.*").drop("alert"), self.seen.duplicates_among(read))
            lake.append("raw_alerts", marked, append, {alert.night for alert in read})
            self.seen.add(read)

    def _marked(self, raw: DataFrame, duplicates: list[Coordinate]) -> DataFrame:
        from pyspark.sql import functions as F

        if not duplicates:
            return raw.withColumn("is_duplicate", F.lit(False))
        schema = "topic string, partition int, offset long, is_duplicate boolean"
        rows = [(alert.topic, alert.partition, alert.offset, True) for alert in duplicates]
        marks = F.broadcast(self.context.spark.createDataFrame(rows, schema))
        return raw.join(marks, _COORDINATE, "left").fillna({"is_duplicate": False})

    def _append_quarantine(self, wrong: DataFrame, append: Append) -> None:
        from pyspark.sql import functions as F

        if wrong.isEmpty():
            return
        night = self.context.night.key
        rows = wrong.withColumn("night", F.lit(night)).withColumn("quarantined_at", F.current_timestamp())
        self.context.lake.append("quarantine", rows, append, [night])


def _lost(read: list[Row]) -> list[Row]:
    return [row for row in read if row.id is None]


def messages_of(rows: DataFrame) -> DataFrame:
    """Return messages with their coordinate, Kafka's time, headers and the time they were read (UTC)."""
    from pyspark.sql import functions as F

    return rows.select(
        *_COORDINATE,
        F.col("timestamp").alias("kafka_timestamp"),
        "headers",
        "value",
        # A value, not the current time: messages that are read again to be judged in Python came with the others.
        F.lit(dt.datetime.now(dt.UTC)).alias("brokerIngestTimestamp"),
    )


def night_column(rule: NightRule, prefix: str = "") -> Column:
    """Return the night of an alert as a Spark expression, the same arithmetic as :meth:`NightRule.night`."""
    from pyspark.sql import functions as F

    days = F.floor(F.col(prefix + rule.field) - F.lit(rule.zero)).cast("int")
    return F.date_format(F.date_add(F.lit("1970-01-01").cast("date"), days), "yyyy-MM-dd")
