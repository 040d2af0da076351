"""What a night came to, in one row of HBase: alerts, bands, exposures, fields, classes.

As fink-broker's ``archive_statistics``, but for its count of hosts: there, alerts whose search failed are among them.
Counted from what is stored, when the night is drained and when it is rebuilt; what is counted beside raw and science
alerts, the survey says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from fink_dagster.hbase.amending import amend
from fink_dagster.hbase.codec import encode
from fink_dagster.hbase.connection import ensure_tables
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.tables import Column, Table
from fink_dagster.science.simbad import is_label, may_host

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from fink_dagster.stages.stage import NightContext

BASIC, CLASS = "basic", "class"
TABLE = Table(
    "statistics_class",
    "what each night came to; a cell of family class for every class there was",
    (
        Column("night", "night", BASIC, "string"),
        Column("raw", "raw", BASIC, "bigint"),
        Column("sci", "sci", BASIC, "bigint"),
    ),
    ("night",),
    families=(BASIC, CLASS),
)


def put_statistics(context: NightContext) -> int:
    """Put the row of a night, and return whether it differed from what was there; a night without alerts has none.

    Raises
    ------
    TransientError
        When HBase is away.
    """
    reader, night = context.lake.reader, context.night
    raw = reader.count_night("raw_alerts", night.key)
    if not raw:
        return 0
    numbers = {f"{BASIC}:raw": raw, **_counts(context)}
    cells = {name.encode(): encode(number, "bigint") for name, number in numbers.items()}
    cells[f"{BASIC}:night".encode()] = night.key.encode()
    ensure_tables(context.settings.hbase, [TABLE])
    key = f"{context.survey.name}_{night.compact}".encode()
    return amend(context.settings.hbase, TABLE, [Row(key, cells, 1)])


def _counts(context: NightContext) -> dict[str, int]:
    from pyspark.sql import functions as F

    wanted = context.survey.statistics
    rows = context.lake.read("science_alerts").where(F.col("night") == context.night.key)
    counts = [F.count(F.lit(1)).alias("sci")]
    counts += [F.count_if(F.col(path) == value).alias(name) for name, (path, value) in wanted.where.items()]
    counts += [F.count_distinct(F.col(path)).alias(name) for name, path in wanted.distinct.items()]
    (row,) = rows.agg(*counts).collect()
    basic = {f"{BASIC}:{name}": number for name, number in row.asDict().items()}
    classes = _by_text(rows, wanted.classes) if wanted.classes else {}
    simbad = _of_simbad(_by_text(rows, wanted.simbad)) if wanted.simbad else {}
    return {**basic, **{f"{CLASS}:{name}": number for name, number in {**classes, **simbad}.items()}}


def _by_text(rows: DataFrame, path: str) -> dict[str, int]:
    from pyspark.sql import functions as F

    counted = rows.groupBy(F.col(path).alias("text")).count().where(F.col("text").isNotNull()).collect()
    return {row["text"]: row["count"] for row in counted}


def _of_simbad(types: dict[str, int]) -> dict[str, int]:
    """Count alerts whose type names what was seen, and those that may have a host; nobody searched is neither."""
    names, numbers = pd.Series(list(types), dtype=object), pd.Series(list(types.values()), dtype="int64")
    return {
        "simbad_tot": int(numbers[is_label(names)].sum()),
        "simbad_gal": int(numbers[may_host(names)].sum()),
    }
