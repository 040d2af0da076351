"""stream2raw: every message of the night's topics into raw_alerts or into quarantine.

A batch is decoded once and staged as it comes; then its few telling columns are looked at, and it is published.

Here duplicates are chosen, once and for all; schemas that were not seen before are remembered before the first row that
needs them, and a night is opened before its books change. Nothing is cut and nothing is added but where the alert came
from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel

from fink_dagster.errors import FinkError
from fink_dagster.kafka.clients import survey_client, survey_options
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.lake.nights import open_night
from fink_dagster.lake.quarantine import TABLE as QUARANTINE
from fink_dagster.lake.staging import look, publish, rows_of, stage
from fink_dagster.stages import decoding
from fink_dagster.stages.seen import Coordinate, SeenAlerts, raw_lock
from fink_dagster.stages.stage import now, rest_of
from fink_dagster.stages.writers import KnownWriters

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame

    from fink_dagster.lake.lake import Append
    from fink_dagster.lake.quarantine import Place
    from fink_dagster.lake.staging import Staged
    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import NightRule, Survey

    SetAside = Callable[[DataFrame, Append], None]

NAME = "stream2raw"
TABLE = "raw_alerts"
_COORDINATE = ["topic", "partition", "offset"]
_ROW = (*_COORDINATE, "kafka_timestamp", "brokerIngestTimestamp", "writer_schema", "night", "is_duplicate")
"""Columns of raw_alerts that are not the alert's."""
_FEW = 50
"""Messages to learn the first writer schemas from, where a whole batch could not be decoded."""


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
        self.measures: dict[str, int] = {}
        self.writers = KnownWriters(context.lake, context.survey)
        self.seen = SeenAlerts(context.lake, context.survey, raw_lock(context.settings, context.survey))
        self._opened: set[str] = set()

    def topics(self) -> list[str]:
        """Return the topics of the night that exist."""
        names = self.context.survey.topics(self.context.night)
        return sorted(existing_topics(survey_client(self.context.settings), names))

    def source(self) -> DataFrame:
        """Return the night's topics from their earliest message, by concrete name."""
        settings = self.context.settings
        options = {
            **survey_options(settings),
            "subscribe": ",".join(self.topics()),
            "startingOffsets": "earliest",
            "failOnDataLoss": "true",
            "maxOffsetsPerTrigger": str(settings.max_offsets_per_trigger),
            "includeHeaders": "true",
            "kafka.isolation.level": "read_committed",
            # A batch ends at offsets that are there; at the topic's end every partition would wait for more in vain.
            "kafka.fetch.max.wait.ms": "10",
            # The connector asks twice where the partition ends for each fetch; three megabytes are some 60 alerts.
            "kafka.max.partition.fetch.bytes": str(3 * 2**20),
            # The client's own 64 kB would have such a fetch arrive in fifty pieces; the system knows better.
            "kafka.receive.buffer.bytes": "-1",
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
        # A topic has more partitions than this machine has cores, and each task would write a file of its own.
        messages = messages_of(rows.coalesce(rows.sparkSession.sparkContext.defaultParallelism))
        listed = ", ".join(f"'{topic}'" for topic in self.context.survey.topics(self.context.night))
        tables, where = (TABLE, QUARANTINE), f"topic IN ({listed})"
        messages, append = rest_of(self.context.lake, messages, batch, NAME, tables, where)
        self.take(messages, append, self._quarantine)

    def take(self, messages: DataFrame, append: Append, set_aside: SetAside) -> None:
        """Write the messages that are alerts to raw_alerts and hand over the others.

        Parameters
        ----------
        messages : DataFrame
            As :func:`messages_of` returns them.
        append : Append
            What they are written as.
        set_aside : callable
            Given the messages that are no alert, with ``code`` and ``text``, after the alerts are written.

        Raises
        ------
        SchemaWidened
            When there are new fields among them; nothing is written then, and they must come again.
        """
        if not self.writers.in_jvm:
            self._learns_from(messages.limit(_FEW))
        staged = self._stage(self._decode(messages), append)
        alerts, lost = self._read(staged)
        while lost and self._learns_from(among(messages, lost)):
            staged = self._stage(self._decode(messages), append)
            alerts, lost = self._read(staged)
        if lost:
            self._judge(among(messages, lost), staged, append, set_aside)
        else:
            self._keep(staged, alerts, append)

    def close(self) -> None:
        """Nothing is held."""

    def _decode(self, messages: DataFrame) -> DataFrame:
        return decoding.decode_in_jvm(messages, self.context.survey, self.writers.in_jvm, self.writers.reader)

    def _stage(self, decoded: DataFrame, append: Append) -> Staged:
        return stage(self.context.lake, TABLE, raw_rows(decoded, self.context.survey), append)

    def _read(self, staged: Staged) -> tuple[list[Coordinate], list[Place]]:
        """Return the alerts of a batch, and where the messages are the JVM made no alert of: their row has no more."""
        columns = look(self.context.lake, staged, [*_COORDINATE, "night", self.context.survey.identifier])
        read = list(zip(*(column.to_pylist() for column in columns.columns), strict=True))
        return [Coordinate(*row) for row in read if row[-1] is not None], [row[:3] for row in read if row[-1] is None]

    def _learns_from(self, messages: DataFrame) -> bool:
        """Learn the writer schemas of messages; return whether the JVM can decode more than before.

        Raises
        ------
        SchemaWidened
            When tables have got new columns.
        """
        learned, widened = self.writers.learn(messages)
        if widened:
            message = "stream2raw: the tables have got new columns; every query starts again"
            raise SchemaWidened(message)
        return learned

    def _judge(self, lost: DataFrame, staged: Staged, append: Append, set_aside: SetAside) -> None:
        """Keep what the JVM decoded, and of the rest what Python makes of it; set aside what is left."""
        survey, reader = self.context.survey, self.writers.reader
        judged = decoding.decode_in_python(lost, survey, reader, self.context.settings.max_message_bytes)
        # Not in memory: where nobody's schema suits the JVM, these are all messages of the batch.
        judged = judged.persist(StorageLevel.DISK_ONLY)
        try:
            saved = judged.where("code IS NULL")
            alerts = rows_of(staged, lost.sparkSession).where(f"`{survey.identifier}` IS NOT NULL")
            both = alerts.unionByName(raw_rows(saved, survey), allowMissingColumns=True)
            again = stage(self.context.lake, TABLE, both, append)
            self._keep(again, self._read(again)[0], append)
            set_aside(judged.where("code IS NOT NULL"), append)
        finally:
            judged.unpersist()

    def _keep(self, staged: Staged, alerts: list[Coordinate], append: Append) -> None:
        """Publish a batch's alerts; only when there are duplicates among them are they written again, marked."""
        lake = self.context.lake
        with self.seen.exclusive():
            if not alerts or lake.appended(TABLE, append):
                return
            self._open(*{alert.night for alert in alerts})
            duplicates = self.seen.duplicates_among(alerts)
            if duplicates:
                lake.append(TABLE, self._marked(rows_of(staged, lake.spark), duplicates), append)
            else:
                publish(lake, staged)
            self.seen.add(alerts)

    def _marked(self, raw: DataFrame, duplicates: list[Coordinate]) -> DataFrame:
        from pyspark.sql import functions as F

        schema = "topic string, partition int, offset long, is_duplicate boolean"
        rows = [(alert.topic, alert.partition, alert.offset, True) for alert in duplicates]
        marks = F.broadcast(self.context.spark.createDataFrame(rows, schema))
        return raw.drop("is_duplicate").join(marks, _COORDINATE, "left").fillna({"is_duplicate": False})

    def _quarantine(self, wrong: DataFrame, append: Append) -> None:
        from pyspark.sql import functions as F

        if wrong.isEmpty():
            return
        self._open()
        night = self.context.night.key
        rows = wrong.withColumns({"night": F.lit(night), "quarantined_at": F.current_timestamp()})
        self.context.lake.append(QUARANTINE, rows, append)

    def _open(self, *others: str) -> None:
        """Open this night and others before their books change, so that a crash leaves none closed with old ones."""
        own = {self.context.night.key}
        for night in sorted(own.union(others) - self._opened):
            open_night(self.context.lake, night, self.context.run)
        # This one stays open for as long as its run has the lease; another may be closed by its own run at any time.
        self._opened = own


def messages_of(rows: DataFrame) -> DataFrame:
    """Return messages with their coordinate, Kafka's time, headers and the time they were read (UTC)."""
    from pyspark.sql import functions as F

    return rows.select(
        *_COORDINATE,
        F.col("timestamp").alias("kafka_timestamp"),
        "headers",
        "value",
        # Taken now, not at each reading: messages that are read again to be judged in Python came with the others.
        now("partition").alias("brokerIngestTimestamp"),
    )


def among(messages: DataFrame, places: list[Place]) -> DataFrame:
    """Return the messages at some coordinates, bytes and all; the others are read for it too, and passed over."""
    from pyspark.sql import functions as F

    wanted = messages.sparkSession.createDataFrame(places, "topic string, partition int, offset long")
    return messages.join(F.broadcast(wanted), _COORDINATE, "left_semi")


def raw_rows(decoded: DataFrame, survey: Survey) -> DataFrame:
    """Return decoded messages as rows of raw_alerts, none a duplicate yet; without an alert the identifier is null."""
    from pyspark.sql import functions as F

    dated = decoded.withColumns({"night": night_column(survey.night_rule, "alert."), "is_duplicate": F.lit(False)})
    return dated.select(*_ROW, "alert.*")


def night_column(rule: NightRule, prefix: str = "") -> Column:
    """Return the night of an alert as a Spark expression, the same arithmetic as :meth:`NightRule.night`."""
    from pyspark.sql import functions as F

    days = F.floor(F.col(prefix + rule.field) - F.lit(rule.zero)).cast("int")
    return F.date_format(F.date_add(F.lit("1970-01-01").cast("date"), days), "yyyy-MM-dd")
