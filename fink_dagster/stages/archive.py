"""archive: every science alert of a night in the survey's HBase tables, as soon as it is there.

Rows have explicit versions and keys made of the alert, so putting one again changes nothing; ``archived`` in the lake
remembers what HBase has acknowledged, one row an alert. How rows are made of alerts is said in ``archive_rows``; a
night's rows as they should be and as they are is ``rebuild``'s affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster import __version__
from fink_dagster.errors import TransientError
from fink_dagster.hbase.amending import amend
from fink_dagster.hbase.connection import ensure_tables
from fink_dagster.hbase.objects import places_table, put_newest
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.tables import schema_row
from fink_dagster.hbase.writer import put_rows
from fink_dagster.lake.lake import Append
from fink_dagster.local.exclusion import alone
from fink_dagster.science.registry import science_version
from fink_dagster.stages.archive_rows import acknowledged, alerts_in, tables_of
from fink_dagster.stages.presplitting import create_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame

    from fink_dagster.hbase.connection import Address
    from fink_dagster.hbase.tables import Table
    from fink_dagster.settings import Settings
    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import Survey

NAME = "archive"
ARCHIVED = "archived"


class Archive:
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
        self.tables = tables_of(context.survey)
        self._ready = False

    def source(self) -> DataFrame:
        """Return the night's science alerts."""
        return self.context.lake.stream("science_alerts", self.context.night.key)

    def has_rows(self) -> bool:
        """Tell whether rows of the night have been acknowledged."""
        return bool(self.context.lake.reader.count_night(ARCHIVED, self.context.night.key))

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Put one batch of science alerts and remember that HBase has them.

        Raises
        ------
        TransientError
            Whatever is wrong: with HBase away, or a table disabled, the other stages go on, and the batch comes again.
        """
        lake, night, identifier = self.context.lake, self.context.night.key, self.context.survey.identifier
        if batch.starts_over:
            rows = lake.not_in(rows, (ARCHIVED,), [identifier], f"night = '{night}'")
        try:
            done = self.put(rows, put=amend if batch.starts_over else put_rows)
            lake.append(ARCHIVED, done, Append(NAME, batch.checkpoint, batch.number))
        except TransientError:
            self.close()
            raise
        except Exception as error:
            self.close()
            message = f"{NAME}: HBase must take every alert; got {_first_line(error)}; see to it, the batch comes again"
            raise TransientError(message) from error

    def put(self, rows: DataFrame, put: Callable[[Address, Table, Sequence[Row]], int] = put_rows) -> DataFrame:
        """Return rows of ``archived`` for science alerts, each once HBase has acknowledged all that is made of it.

        Parameters
        ----------
        rows : DataFrame
            Science alerts.
        put : callable
            How rows get there: ``amend`` where some may have been deleted before, which hides what is only put.
        """
        from pyspark.sql import functions as F

        context, address = self.context, self.context.settings.hbase
        self.prepare()
        for table in self.tables:
            if table.newest_of_object:
                alerts = list(alerts_in(rows, context.survey, table))
                with alone(objects_lock(context.settings, context.survey)):
                    put_newest(address, table, alerts)
        done = acknowledged(rows, context.survey, self.tables, lambda table, made: put(address, table, made))
        return done.withColumn("night", F.lit(context.night.key))

    def prepare(self) -> None:
        """Make the tables and their schema rows, once a start."""
        if self._ready:
            return
        address = self.context.settings.hbase
        beside = [places_table(table) for table in self.tables if table.newest_of_object]
        if self.context.settings.hbase_regions > 1:
            create_absent(self.context, self.tables)
        ensure_tables(address, [*self.tables, *beside])
        for table in self.tables:
            key, cells = schema_row(table, __version__, science_version())
            put_rows(address, table, [Row(key, cells, 1)])
        self._ready = True

    def close(self) -> None:
        """Nothing is held; the tables are looked for again at the next start."""
        self._ready = False


def _first_line(error: Exception) -> str:
    # Of an error in one of Spark's workers the last line says what was raised there, in the words of who raised it.
    lines = [line for line in str(error).splitlines() if "Error: " in line] or str(error).splitlines()
    return (lines or [type(error).__name__])[-1].strip()[:300]


def objects_lock(settings: Settings, survey: Survey) -> Path:
    """Return the file whose lock one holds to change rows of objects, which alerts of several nights may."""
    return settings.data / "locks" / f"{survey.name}-objects"
