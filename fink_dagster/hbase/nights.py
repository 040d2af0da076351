"""What a table holds of nights: rows counted and listed, by the night every row carries.

The server looks at every row of the table, so the cost grows with all nights together; searches by key are in
``reader``.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.connection import Address, answering, connect
from fink_dagster.hbase.tables import ADDED, NIGHT
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.hbase.tables import Table

SCAN_ROWS = 1000
_CELL = f"{ADDED}:{NIGHT}".encode()


def count_rows(address: Address, table: Table, night: Night) -> int:
    """Count the rows of a night; schema rows have none.

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    return sum(1 for _ in keys_between(address, table, night, night))


def keys_between(address: Address, table: Table, first: Night, last: Night) -> Iterator[bytes]:
    """Yield the key of every row of the nights, both included.

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    filters = _between(first, last) + " AND KeyOnlyFilter()"
    for key, _ in _scanned(address, table, [_CELL], filters):
        yield key


def versions_between(address: Address, table: Table, first: Night, last: Night) -> list[tuple[bytes, int]]:
    """Return the key of every row of the nights, both included, with the version of its newest cell [ms since 1970].

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
        return [(key, max(version for _, version in cells.values())) for key, cells in found]


def values_between(
    address: Address, table: Table, first: Night, last: Night, column: str
) -> Iterator[tuple[bytes, Any]]:
    """Yield the key of every row of the nights, both included, and its value of a column.

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    declared = table.by_name[column]
    for key, cells in _scanned(address, table, [_CELL, declared.cell], _between(first, last)):
        yield key, decode(cells.get(declared.cell, b""), declared.type)


def _scanned(
    address: Address, table: Table, cells: list[bytes], filters: str
) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    with answering(address), closing(connect(*address)) as connection:
        yield from connection.table(table.name).scan(columns=cells, filter=filters.encode(), batch_size=SCAN_ROWS)


def _between(first: Night, last: Night) -> str:
    # The texts become part of a filter's: only a night's own form may.
    begin, end = Night.parse(str(first)).key, Night.parse(str(last)).key
    column = f"'{ADDED}', '{NIGHT}'"
    return (
        f"SingleColumnValueFilter({column}, >=, 'binary:{begin}', true, true) AND "
        f"SingleColumnValueFilter({column}, <=, 'binary:{end}', true, true)"
    )
