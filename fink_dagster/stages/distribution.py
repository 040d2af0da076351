"""distribution: one look at each science alert, transactions of many, one topic per filter and one to count.

A user topic receives each alert once. ``distributed`` in the lake is the memory of what was sent; the marker written in
the same transaction as the alerts bridges the moment between Kafka's commit and the lake's. How a transaction is made
is ``kafka.transactions``; which filters exist is ``filters``.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING

from fink_dagster.filters.activation import is_active
from fink_dagster.filters.filter import COUNT
from fink_dagster.filters.registry import get_entry, refused
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.transactions import Outgoing, TransactionalWriter
from fink_dagster.kafka.user_topics import ensure_user_topics
from fink_dagster.lake.filters import decisions_in, keep_failures
from fink_dagster.lake.lake import Append
from fink_dagster.lake.reading import of_night
from fink_dagster.science.switches import Switches
from fink_dagster.stages.judgement import filters_for, judgement
from fink_dagster.stages.modules import tallies_in
from fink_dagster.stages.wire import avro_schema, packed, schema_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame

    from fink_dagster.filters.filter import Filter
    from fink_dagster.kafka.markers import Sent
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import Survey

NAME = "distribution"
PART_BYTES = 2**26


class Distribution:
    """The stage for one night.

    Parameters
    ----------
    context : NightContext
        The night and what to work with.
    filters : sequence of Filter, optional
        Those the night began with; default: those that are active now.
    """

    name = NAME

    def __init__(self, context: NightContext, filters: Sequence[Filter] | None = None) -> None:
        self.context = context
        self.measures: dict[str, int] = {}
        active = active_filters(context.lake.reader, context.survey) if filters is None else filters
        self.filters = list(active)
        self._refused = {entry.where: entry.why for entry in refused()}
        self._failed: Counter[str] = Counter()
        self._why: dict[str, str] = {}
        self._tallies = tallies_in(context.spark)
        self._switches = Switches()
        survey, night = context.survey.name, context.night
        self.count_topic = count_topic(survey, night.compact)
        config, markers = distribution_client(context.settings), f"{self.count_topic}_markers"
        self._writer = TransactionalWriter(config, f"fink-{NAME}-{survey}-{night}", markers)
        self._sent: dict[str, set[int]] | None = None

    @property
    def troubles(self) -> dict[str, str]:
        """Filters that cannot be taken, those that failed on an alert of the newest batch, and those that are off."""
        said = self._why | self._switches.off()
        return self._refused | {f"filter {name}": why for name, why in said.items()}

    def source(self) -> DataFrame:
        """Return the night's science alerts."""
        return self.context.lake.stream("science_alerts", self.context.night.key)

    def has_rows(self) -> bool:
        """Tell whether anything of the night was sent; every batch is compared with what was, so it never matters."""
        return False

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Send one batch of science alerts to the topics of the filters they pass, and to the count topic."""
        self._failed.clear()
        self._why.clear()
        try:
            memory = self._memory()
            due = (each for each in self._messages(rows) if each.candid not in memory.setdefault(each.filter, set()))
            sent: list[Sent] = []
            for number, part in enumerate(parts(due)):
                sent += self._writer.send(f"{batch.checkpoint}/{batch.number}/{number}", part)
            self._remember(sent)
            self._keep_failures(batch)
            self._learn()
        except BaseException:
            # What was sent is in doubt: the next attempt reads the lake and the markers again.
            self.close()
            raise

    def close(self) -> None:
        """Leave the night's transactional identity."""
        self._writer.close()
        self._sent = None

    def _memory(self) -> dict[str, set[int]]:
        """Return what was sent, by filter: read once from the lake, together with markers the lake does not know."""
        if self._sent is None:
            topics = [item.topic(self.context.survey.name) for item in self.filters]
            ensure_user_topics(self.context.settings, [self.count_topic, *topics])
            self._writer.open()
            self._sent = self._in_lake()
            self._remember(
                [sent for sent in self._writer.markers() if sent.candid not in self._sent.get(sent.filter, ())]
            )
        return self._sent

    def _in_lake(self) -> dict[str, set[int]]:
        identifier, night = self.context.survey.identifier, self.context.night.key
        stored = self.context.lake.reader.rows("distributed", ("filter", identifier), of_night(night))
        sent: dict[str, set[int]] = {}
        for row in stored.to_pylist() if stored else []:
            sent.setdefault(row["filter"], set()).add(row[identifier])
        return sent

    def _remember(self, sent: list[Sent]) -> None:
        if not sent:
            return
        lake, night = self.context.lake, self.context.night.key
        fields = (self.context.survey.identifier, "filter", "topic", "partition", "offset")
        rows = [(night, item.candid, item.filter, item.topic, item.partition, item.offset) for item in sent]
        kinds = "night string, {} long, {} string, {} string, {} int, {} long".format(*(f"`{name}`" for name in fields))
        # The comparison with what was sent makes this append happen once, not the batch's number: a filter that is new
        # since the batch was first tried has new rows under the same number.
        append = Append(NAME, uuid.uuid4().hex, 0)
        lake.append("distributed", lake.spark.createDataFrame(rows, kinds).coalesce(1), append)
        for item in sent:
            self._sent_of(item.filter).add(item.candid)

    def _keep_failures(self, batch: Batch) -> None:
        append = Append(NAME, batch.checkpoint, batch.number)
        keep_failures(self.context.lake, self.context.night.key, self.filters, self._failed, self._why, append)

    def _learn(self) -> None:
        """Take note of what the workers said of the filters in a batch: one that hangs is not to hold up every one."""
        tallies, self._tallies.value = self._tallies.value, {}
        self._switches.learn(tallies)

    def _sent_of(self, name: str) -> set[int]:
        memory = self._sent if self._sent is not None else {}
        return memory.setdefault(name, set())

    def _messages(self, rows: DataFrame) -> Iterator[Outgoing]:
        """Yield what a batch has to send, in one pass over it; only alerts that pass a filter leave the JVM whole."""
        from pyspark.sql import functions as F

        identifier, survey = self.context.survey.identifier, self.context.survey
        counted, whole = rows.select(survey.object_identifier, identifier), rows
        keys = {COUNT: avro_schema(counted), "": avro_schema(whole)}
        fingerprints = {key: ("schema", schema_fingerprint(schema).encode()) for key, schema in keys.items()}
        judged = rows.withColumn("_judged", judgement(self.filters, self._tallies, self._switches.off())).select(
            F.col(identifier).alias("_id"),
            "_judged",
            packed(counted.columns, keys[COUNT]).alias("_counted"),
            F.when(F.size("_judged.passed") > 0, packed(whole.columns, keys[""])).alias("_alert"),
        )
        topics = {item.name: item.topic(survey.name) for item in self.filters}
        counted_key, whole_key = keys[COUNT].encode(), keys[""].encode()
        for row in judged.toLocalIterator():
            headers = [(identifier, str(row["_id"]).encode()), ("night", self.context.night.key.encode())]
            marked = [*headers, fingerprints[COUNT]]
            yield Outgoing(COUNT, self.count_topic, row["_id"], counted_key, bytes(row["_counted"]), marked)
            self._why |= row["_judged"]["failed"]
            self._failed.update(row["_judged"]["failed"].keys())
            alert, marked = bytes(row["_alert"] or b""), [*headers, fingerprints[""]]
            for name in row["_judged"]["passed"]:
                yield Outgoing(name, topics[name], row["_id"], whole_key, alert, marked)


def parts(messages: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """Yield messages in parts, none of which holds much more than ``PART_BYTES`` of alerts.

    A batch in which most alerts pass would not fit into memory whole; each part is sent in a transaction of its own.
    An alert that passes several filters is counted each time, though it is held once.
    """
    part: list[Outgoing] = []
    size = 0
    for message in messages:
        part.append(message)
        size += len(message.value)
        if size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def active_filters(reader: LakeReader, survey: Survey) -> list[Filter]:
    """Return the filters that send a survey's alerts, by what was decided until now."""
    decisions = decisions_in(reader)
    return [item for item in filters_for(survey) if is_active(get_entry(item.name), decisions)]


def count_topic(survey: str, compact_night: str) -> str:
    """Return the topic every science alert of a night is counted in, as upstream names it."""
    return f"fink_{survey}_{compact_night}"
