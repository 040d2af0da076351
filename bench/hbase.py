"""The HBase tables of a round: which there are, what is in them, and away with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from fink_dagster.hbase.connection import AT_ONCE, connect
from fink_dagster.hbase.keys import SCHEMA
from fink_dagster.hbase.scans import BATCH_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from happybase import Connection

    from fink_dagster.settings import Settings

Rows = dict[bytes, "Mapping[bytes, bytes]"]


def tables_of(connection: Connection, survey: str) -> list[str]:
    """Return the names of a survey's tables that are there."""
    names = [name.decode() for name in connection.tables()]
    return [name for name in names if name.partition(".")[0] == survey]


def rows_of(connection: Connection, table: str, *, whole: bool = True) -> Rows:
    """Return the rows of a table but the schema's.

    Parameters
    ----------
    connection : Connection
        Of happybase.
    table : str
        It is there.
    whole : bool
        Whether with all cells, or with one.
    """
    chosen = None if whole else b"FirstKeyOnlyFilter()"
    found = connection.table(table).scan(filter=chosen, batch_size=BATCH_ROWS)
    return {key: cells for key, cells in found if not key.startswith(SCHEMA.encode())}


def drop_tables(settings: Settings, survey: str) -> None:
    """Drop the tables of a survey."""
    with closing(connect(*settings.hbase)) as connection:
        names = tables_of(connection, survey)
    # HBase needs seconds for each, and most of that is waiting.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_drop, settings), names))


def _drop(settings: Settings, table: str) -> None:
    with closing(connect(*settings.hbase)) as connection:
        connection.delete_table(table, disable=True)
