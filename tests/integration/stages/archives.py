"""The archive of a night in tests: filled from packets, and read back as plain cells."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fink_dagster.hbase.connection import connect
from fink_dagster.hbase.objects import places_table
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

Versioned = dict[bytes, dict[bytes, tuple[bytes, int]]]


def enriched(context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]) -> DataFrame:
    """Take packets through the first two stages and return the science alerts."""
    Stream2Raw(context).process(batch_of(packets), Batch(0, "raw"))
    Raw2Science(context).process(context.lake.read("raw_alerts"), Batch(0, "science"))
    return context.lake.read("science_alerts")


def table_names(context: NightContext) -> list[str]:
    """Return the names of all tables of a survey's archive."""
    tables = tables_of(context.survey)
    return [each.name for each in (*tables, *(places_table(table) for table in tables if table.newest_of_object))]


def scanned(context: NightContext, name: str) -> Versioned:
    """Return the rows of a table but the schema's, each cell with its version."""
    with closing(connect(*context.settings.hbase)) as connection:
        rows = connection.table(name).scan(include_timestamp=True)
        return {key: cells for key, cells in rows if not key.startswith(b"schema")}


def versions(context: NightContext) -> dict[str, Versioned]:
    """Return everything the archive holds, with versions."""
    return {name: scanned(context, name) for name in table_names(context)}


def values(context: NightContext) -> dict[str, dict[bytes, dict[bytes, bytes]]]:
    """Return everything the archive holds."""
    return {
        name: {key: {cell: value for cell, (value, _) in cells.items()} for key, cells in rows.items()}
        for name, rows in versions(context).items()
    }


def drop(context: NightContext, *names: str) -> None:
    """Drop tables, as somebody does by hand."""
    with closing(connect(*context.settings.hbase)) as connection:
        for name in names:
            connection.delete_table(name, disable=True)
