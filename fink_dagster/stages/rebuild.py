"""A night's rows in HBase, made anew from the lake: what is wrong or absent is put, what follows from nothing goes.

What is right is not touched, to the version of its cells. Which nights are meant, and that nobody else writes them
meanwhile, is said by who asks.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.accumulators import AccumulatorParam

from fink_dagster.hbase.amending import amend, remove
from fink_dagster.hbase.nights import keys_between, versions_between
from fink_dagster.hbase.objects import put_newest
from fink_dagster.hbase.writer import Gone, delete_rows
from fink_dagster.lake.lake import Append
from fink_dagster.lake.reading import of_night
from fink_dagster.local.exclusion import alone
from fink_dagster.stages.archive import ARCHIVED, NAME, Archive, objects_lock
from fink_dagster.stages.archive_rows import acknowledged, alerts_in, point_keys, tables_of
from fink_dagster.stages.rebuild_objects import rebuild_objects
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from pyspark import Accumulator
    from pyspark.sql import DataFrame

    from fink_dagster.hbase.connection import Address
    from fink_dagster.hbase.rows import Row
    from fink_dagster.hbase.tables import Table
    from fink_dagster.stages.stage import NightContext

SCIENCE = "science_alerts"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild has done, by table.

    Parameters
    ----------
    put : Counter
        Rows that were absent, or differed.
    removed : Counter
        Rows that followed from nothing.
    """

    put: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)


def rebuild(context: NightContext) -> Rebuilt:
    """Make the rows of a night what follows from its science alerts.

    Points of histories that no alert has any more are left: :func:`remove_points` looks at many nights at once.

    Raises
    ------
    TransientError
        When HBase is away; the same call again is right.
    """
    rows, done = science_of(context), Rebuilt()
    address, tables = context.settings.hbase, _prepared(context)
    there = _amended(context, rows, tables, done.put)
    keys = _keys(there)
    for table in tables:
        if table.of_alerts:
            held = keys_between(address, table, context.night, context.night)
            done.removed[table.name] += remove(address, table, [key for key in held if key not in keys[table.name]])
        elif table.newest_of_object:
            put, removed = rebuild_objects(context, table, rows)
            done.put[table.name] += put
            done.removed[table.name] += removed
    _remember(context, there)
    return done


def replace_rows(context: NightContext, before: DataFrame, after: DataFrame) -> None:
    """Make the rows of some alerts what follows from them as they are now; rows under keys they had before go.

    Parameters
    ----------
    context : NightContext
        The night.
    before, after : DataFrame
        The same science alerts.

    Raises
    ------
    TransientError
        When HBase is away; the same call again is right.
    """
    address, survey, tables = context.settings.hbase, context.survey, _prepared(context)
    now = _keys(_amended(context, after, tables, Counter()))
    had = _keys(acknowledged(before, survey, tables, _nothing))
    for table in tables:
        remove(address, table, had[table.name] - now[table.name])
        if table.newest_of_object:
            with alone(objects_lock(context.settings, survey)):
                put_newest(address, table, alerts_in(after, survey, table))


def remember(context: NightContext) -> None:
    """Make ``archived`` say of a night what follows from its science alerts, all of which HBase has."""
    _remember(context, acknowledged(science_of(context), context.survey, tables_of(context.survey), _nothing))


def remove_points(context: NightContext, first: Night, last: Night) -> Counter[str]:
    """Delete rows of points that no alert's history has any more; return how many, by table.

    Parameters
    ----------
    context : NightContext
        Any of the nights.
    first, last : Night
        The nights, both included, whose alerts have changed. A history ends so and so many days before its alert: rows
        so much older are looked at, and alerts so much younger.
    """
    from pyspark.sql import functions as F

    address, removed = context.settings.hbase, Counter[str]()
    for table in _prepared(context):
        if table.history:
            days = table.history.days
            begin, end = Night.of_day(first.day - days), Night.of_day(last.day + days)
            # First what is there, then what should be: a row that a stream puts meanwhile is not looked at.
            held = context.spark.createDataFrame(
                versions_between(address, table, begin, last), "row_key binary, version long"
            )
            rows = context.lake.read(SCIENCE).where(F.col("night").between(begin.key, end.key))
            ghosts = held.join(point_keys(rows, context.survey, table), "row_key", "left_anti").toLocalIterator()
            gone = (Gone(bytes(row["row_key"]), row["version"]) for row in ghosts)
            removed[table.name] += delete_rows(address, table, gone)
    return removed


def science_of(context: NightContext) -> DataFrame:
    """Return the science alerts of a night."""
    from pyspark.sql import functions as F

    return context.lake.read(SCIENCE).where(F.col("night") == context.night.key)


class _Counts(AccumulatorParam):
    """Rows that were amended, by table, added up over Spark's workers."""

    def zero(self, value: Counter[str]) -> Counter[str]:
        return Counter()

    def addInPlace(self, value1: Counter[str], value2: Counter[str]) -> Counter[str]:
        value1.update(value2)
        return value1


def _prepared(context: NightContext) -> tuple[Table, ...]:
    archive = Archive(context)
    archive.prepare()
    return archive.tables


def _amended(context: NightContext, rows: DataFrame, tables: Sequence[Table], put: Counter[str]) -> DataFrame:
    """Amend the rows of alerts and of their histories; return what ``archived`` is to say of them."""
    counts = context.spark.sparkContext.accumulator(Counter[str](), _Counts())
    amending = acknowledged(rows, context.survey, tables, _amender(context.settings.hbase, counts))
    # Once: each look at it would go through HBase again.
    done = amending.localCheckpoint()
    put.update(counts.value)
    return done


def _amender(address: Address, counts: Accumulator[Counter[str]]) -> Callable[[Table, Sequence[Row]], None]:
    def amender(table: Table, rows: Sequence[Row]) -> None:
        counts.add(Counter({table.name: amend(address, table, rows)}))

    return amender


def _nothing(table: Table, rows: Sequence[Row]) -> None:
    """Leave HBase as it is."""


def _keys(done: DataFrame) -> dict[str, set[bytes]]:
    keys: dict[str, set[bytes]] = defaultdict(set)
    for row in done.select("table", "row_key", "index_keys").toArrow().to_pylist():
        keys[row["table"]].add(row["row_key"])
        for table, key in row["index_keys"]:
            keys[table].add(key)
    return keys


def _remember(context: NightContext, done: DataFrame) -> None:
    from pyspark.sql import functions as F

    night, lake, identifier = context.night.key, context.lake, context.survey.identifier
    columns = ("table", "row_key", "index_keys", identifier)
    held = lake.reader.rows(ARCHIVED, columns, of_night(night))
    if held is not None and _sorted(held, identifier) == _sorted(done.toArrow(), identifier):
        return
    append = Append(NAME, f"rebuild-{uuid.uuid4().hex}", 0)
    lake.writer(ARCHIVED, done.withColumn("night", F.lit(night)), append).overwrite(F.col("night") == night)


def _sorted(rows: pa.Table, identifier: str) -> list[tuple[object, ...]]:
    """Return rows of ``archived`` in a form in which two tables compare: in order, and the keys in theirs."""
    return sorted(
        (row[identifier], row["table"], row["row_key"], sorted(row["index_keys"] or ())) for row in rows.to_pylist()
    )
