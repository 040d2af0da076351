"""Tables with one row per object, made anew for the objects of a night: the newest alert of each in all of the lake.

Rows of alerts are ``rebuild``'s; how an object's row is found and changed is said in ``hbase.objects``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.hbase.amending import remove
from fink_dagster.hbase.nights import values_between
from fink_dagster.hbase.objects import LOOK_UP_ROWS, NAME, places, places_table, put_objects, remove_objects
from fink_dagster.hbase.rows import key_of
from fink_dagster.local.exclusion import alone
from fink_dagster.stages.archive import objects_lock
from fink_dagster.stages.archive_rows import alerts_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame

    from fink_dagster.hbase.objects import Alert
    from fink_dagster.hbase.tables import Table
    from fink_dagster.stages.stage import NightContext


def rebuild_objects(context: NightContext, table: Table, rows: DataFrame) -> tuple[int, int]:
    """Make right the rows of every object that has an alert in a night, or whose row says that it has.

    Parameters
    ----------
    context : NightContext
        The night.
    table : Table
        Has one row per object.
    rows : DataFrame
        The night's science alerts.

    Returns
    -------
    int, int
        How many rows were put, and how many removed.
    """
    address, night, survey = context.settings.hbase, context.night, context.survey
    put = removed = 0
    with alone(objects_lock(context.settings, survey)):
        held = dict(values_between(address, table, night, night, survey.object_identifier))
        noted = (name for _, name in values_between(address, places_table(table), night, night, NAME))
        of_night = (row[0] for row in rows.select(survey.object_identifier).distinct().collect())
        names = sorted({*held.values(), *noted, *of_night})
        newest = {alert.name: alert for alert in _newest(context, table, names)}
        for start in range(0, len(names), LOOK_UP_ROWS):
            chunk = names[start : start + LOOK_UP_ROWS]
            there = places(address, table, chunk)
            put += put_objects(address, table, [newest[name] for name in chunk if name in newest], there)
            gone = {name: place for name, place in there.items() if name not in newest}
            removed += remove_objects(address, table, gone)
        keys = {key_of(table, alert.record) for alert in newest.values()}
        removed += remove(address, table, [key for key in held if key not in keys])
    return put, removed


def _newest(context: NightContext, table: Table, names: list[str]) -> Iterable[Alert]:
    """Yield the newest alert with a place on the sky of each object, whatever its night."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    survey = context.survey
    wanted = context.spark.createDataFrame([(name,) for name in names], f"`{survey.object_identifier}` string")
    rows = context.lake.read("science_alerts").join(F.broadcast(wanted), survey.object_identifier, "left_semi")
    for name in table.key:
        rows = rows.where(F.col(table.by_name[name].path).isNotNull())
    order = [F.col(path).desc() for path in (survey.night_rule.field, survey.identifier)]
    of_object = Window.partitionBy(survey.object_identifier).orderBy(*order)
    first = rows.withColumn("_place", F.row_number().over(of_object)).where(F.col("_place") == 1)
    return alerts_in(first, survey, table)
