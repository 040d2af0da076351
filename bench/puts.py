"""The yardstick of the archive: its very own rows, put by happybase with nothing around.

One connection, one batch after the other, no time of ours in a cell, no second attempt; the rows are in memory before
the clock starts. They are what the archive stage has stored just before, so that they are the same to the last cell.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from bench.hbase import drop_tables, rows_of, tables_of
from bench.stored import nothing_done_yet
from bench.task import Outcome, must_be_all
from fink_dagster.hbase.connection import connect
from fink_dagster.hbase.writer import BATCH_ROWS
from fink_dagster.lake.reading import of_night
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.rebuild import SCIENCE, science_of

if TYPE_CHECKING:
    from happybase import Connection
    from pyspark.sql import DataFrame

    from bench.hbase import Rows
    from bench.task import Task
    from fink_dagster.stages.stage import NightContext

MOST_ALERTS = 2_000
"""An alert has hundreds of cells, and all of them are held in memory, each with its name."""


def hbase_put(task: Task) -> Outcome:
    """Put the rows of some of the alerts into every table."""
    number = min(task.number, MOST_ALERTS)
    with nothing_done_yet(task) as context:
        made = _archived(context, number)
        drop_tables(task.settings, context.survey.name)
        stage = Archive(context)
        stage.prepare()
        with closing(connect(*task.settings.hbase)) as connection:
            start = time.monotonic()
            for table, rows in made.items():
                put(connection, table, rows)
            seconds = time.monotonic() - start
            stored = {table: len(rows_of(connection, table, whole=False)) for table in made}
    must_be_all("hbase_put", number, stored[stage.tables[0].name])
    must_be_all("hbase_put", sum(map(len, made.values())), sum(stored.values()))
    cells = sum(len(cells) for rows in made.values() for cells in rows.values())
    return Outcome(number, seconds, {"alerts": number, "cells_per_alert": round(cells / number, 1)})


def put(connection: Connection, table: str, rows: Rows) -> None:
    """Put rows, as many at once as the archive does."""
    keys = list(rows)
    for begin in range(0, len(keys), BATCH_ROWS):
        batch = connection.table(table).batch()
        for key in keys[begin : begin + BATCH_ROWS]:
            batch.put(key, rows[key])
        batch.send()


def _archived(context: NightContext, number: int) -> dict[str, Rows]:
    """Archive some alerts and return what is in the tables then."""
    Archive(context).put(_first(context, number)).collect()
    with closing(connect(*context.settings.hbase)) as connection:
        return {table: rows_of(connection, table) for table in tables_of(connection, context.survey.name)}


def _first(context: NightContext, number: int) -> DataFrame:
    """Return those alerts whose identifiers are the lowest: the same ones however often they are read."""
    from pyspark.sql import functions as F

    identifier = context.survey.identifier
    stored = context.lake.reader.rows(SCIENCE, (identifier,), of_night(context.night.key))
    assert stored is not None
    lowest = sorted(stored[identifier].to_pylist())[:number]
    return science_of(context).where(F.col(identifier) <= F.lit(lowest[-1]))
