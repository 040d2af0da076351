"""Ranges of a table as they are read from HBase: keys between two bounds, in bounded batches, only the cells asked for.

What the rows mean and which ranges answer a question is said in ``reader``.
"""

from __future__ import annotations

import math
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from happybase.util import bytes_increment

from fink_dagster.errors import OperationError
from fink_dagster.hbase.connection import Address, answering, connect
from fink_dagster.hbase.keys import SCHEMA, Part, row_prefix

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from happybase import Connection

    from fink_dagster.hbase.tables import Column, Table

BATCH_ROWS = 200
"""Rows fetched at once: some 2 MB of a table with every column."""
_SCHEMA = SCHEMA.encode()
_BEHIND_DIGITS = b":"
Found = tuple[bytes, dict[bytes, bytes]]


class Range(NamedTuple):
    """Rows whose key begins with a part, and lies between ``start``, included, and ``stop``, excluded."""

    first: bytes
    start: bytes
    stop: bytes


def range_of(first: Part) -> Range:
    """Return the range of all rows with a first part."""
    prefix = row_prefix(first)
    return Range(prefix[:-1], prefix, bytes_increment(prefix))


def range_of_times(first: Part, start: float | None = None, stop: float | None = None) -> Range:
    """Return a range that holds all rows of a first part whose second is a time in ``[start, stop)``; all without both.

    It can hold a few others. Keys are in the order of their text: ``2458451.75_`` comes behind ``2458451.7519_``, for a
    ``_`` comes behind a digit. Every time in a key has a decimal; between bounds with no more than one, the order is
    that of the numbers, as long as they have the same number of digits before the point.

    Parameters
    ----------
    first : str, float or int
        First part of the key.
    start, stop : float
        In the scale of the keys [d].

    Examples
    --------
    >>> range_of_times("EB*", 2458451.5, 2458452.53)
    Range(first=b'EB*', start=b'EB*_2458451.5', stop=b'EB*_2458452.6')
    """
    prefix = row_prefix(first)
    begin = b"0" if start is None else repr(math.floor(start * 10) / 10).encode()
    end = _BEHIND_DIGITS if stop is None else repr(math.ceil(stop * 10) / 10).encode()
    return Range(prefix[:-1], prefix + begin, prefix + end)


@contextmanager
def reading(address: Address, tables: Iterable[Table]) -> Iterator[Connection]:
    """Open a connection to read some tables by.

    Raises
    ------
    TransientError
        When HBase does not answer.
    OperationError
        When one of the tables is not there.
    """
    with answering(address), closing(connect(*address)) as connection:
        there = set(connection.tables())
        for table in tables:
            if table.name.encode() not in there:
                message = (
                    f"hbase table {table.name}: must be there to be read; got none of that name; "
                    "run a night, which archives its alerts, with `fink-dagster night NIGHT`"
                )
                raise OperationError(message)
        yield connection


def rows_in(
    connection: Connection,
    table: Table,
    keys: Range,
    columns: Iterable[Column],
    *,
    reverse: bool = False,
    most: int | None = None,
) -> Generator[Found]:
    """Yield key and cells of the rows in a range; who takes only some closes it while the connection is open.

    A first part can go on, behind a ``_``, where another ends: rows of such are between those asked for, and left out.

    Parameters
    ----------
    connection : Connection
        Of :func:`reading`.
    table : Table
        It is there.
    keys : Range
        Which rows.
    columns : iterable of Column
        Cells to read; those the table does not have are left out. A row without any of them is not found.
    reverse : bool
        Last key first.
    most : int, optional
        How many rows are probably wanted: no more are fetched at once.
    """
    start, stop = (keys.stop, keys.start) if reverse else (keys.start, keys.stop)
    found = connection.table(table.name).scan(
        row_start=start,
        row_stop=stop,
        columns=_cells(table, columns),
        batch_size=min(BATCH_ROWS, most or BATCH_ROWS),
        reverse=reverse,
    )
    with closing(found):
        for key, cells in found:
            if _first_of(table, key) == keys.first:
                yield key, cells


def rows_of(connection: Connection, table: Table, keys: Sequence[bytes], columns: Iterable[Column]) -> Iterator[Found]:
    """Yield key and cells of the rows with these keys that are there."""
    cells = _cells(table, columns)
    for begin in range(0, len(keys), BATCH_ROWS):
        yield from connection.table(table.name).rows(keys[begin : begin + BATCH_ROWS], cells)


def first_parts(connection: Connection, table: Table, *, has_times: bool) -> Iterator[Found]:
    """Yield one row, with the one cell, for every value of the first part of a table's keys.

    Parameters
    ----------
    connection : Connection
        Of :func:`reading`.
    table : Table
        It is there.
    has_times : bool
        Whether the second part is a time. Then each value costs one request: what lies under it is leapt over, and with
        it a value that goes on with ``_`` and a digit. Otherwise every key is looked at.
    """
    cell = table.by_name[table.key[0]].cell
    rows = _leaping(connection, table, cell) if has_times else connection.table(table.name).scan(columns=[cell])
    seen: set[bytes] = set()
    for key, cells in rows:
        first = _first_of(table, key)
        if first not in seen and not key.startswith(_SCHEMA):
            seen.add(first)
            yield key, cells


def _leaping(connection: Connection, table: Table, cell: bytes) -> Iterator[Found]:
    start = b""
    while found := list(connection.table(table.name).scan(row_start=start, columns=[cell], limit=1)):
        yield found[0]
        key = found[0][0]
        is_schema = key.startswith(_SCHEMA)
        start = bytes_increment(_SCHEMA) if is_schema else _first_of(table, key) + b"_" + _BEHIND_DIGITS


def _first_of(table: Table, key: bytes) -> bytes:
    return key.rsplit(b"_", len(table.key) - 1)[0]


def _cells(table: Table, columns: Iterable[Column]) -> list[bytes]:
    return [column.cell for column in columns if column.name in table.by_name]
