"""What a table holds of nights: rows counted, and listed with their cells and versions, by the night every row carries.

The server looks at every row of the table, so the cost grows with all nights together; searches by key are in
``reader``.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from fink_dagster.hbase.connection import TIMEOUT_SECONDS, Address, answering, connect
from fink_dagster.hbase.tables import ADDED, NIGHT
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.hbase.tables import Table

SCAN_ROWS = 1000
_CELL = f"{ADDED}:{NIGHT}".encode()


def count_rows(address: Address, table: Table, night: Night, *, timeout_s: float = TIMEOUT_SECONDS) -> int:
    """Count the rows of a night; schema rows have none.

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    filters = _between(night, night) + " AND KeyOnlyFilter()"
    with answering(address), closing(connect(*address, timeout_s)) as connection:
        found = connection.table(table.name).scan(columns=[_CELL], filter=filters.encode(), batch_size=SCAN_ROWS)
        return sum(1 for _ in found)


def versions_between(address: Address, table: Table, first: Night, last: Night) -> Iterator[tuple[bytes, int]]:
    """Yield the key of every row of the nights, both included, and the version of its newest cell [ms since 1970].

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    filters = _between(first, last) + " AND KeyOnlyFilter()"
    with answering(address), closing(connect(*address)) as connection:
        found = connection.table(table.name).scan(filter=filters.encode(), batch_size=SCAN_ROWS, include_timestamp=True)
        for key, cells in found:
            yield key, max(timestamp for _, timestamp in cells.values())


def _between(first: Night, last: Night) -> str:
    # The texts become part of a filter's: only a night's own form may.
    begin, end = Night.parse(str(first)).key, Night.parse(str(last)).key
    column = f"'{ADDED}', '{NIGHT}'"
    return (
        f"SingleColumnValueFilter({column}, >=, 'binary:{begin}', true, true) AND "
        f"SingleColumnValueFilter({column}, <=, 'binary:{end}', true, true)"
    )
