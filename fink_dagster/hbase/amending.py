"""Making rows what they should be, whatever is there: what is right stays as it is, to the version of its cells.

For repairs, which look first; the stream of a night just puts (``writer``). Which rows should be there is said by who
asks.
"""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError
from fink_dagster.hbase.connection import Address, answering, connect
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.writer import BATCH_ROWS, Gone, delete_rows, put_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fink_dagster.hbase.tables import Table

    Held = Mapping[bytes, Mapping[bytes, tuple[bytes, int]]]
    """Row key -> cell -> value and version, as happybase gives them."""

ATTEMPTS = 5


def amend(address: Address, table: Table, rows: Iterable[Row]) -> int:
    """Make rows what they should be, cells nobody declares any more deleted; return how many were not.

    A row that differs is put under a version above what is there. One that is absent may have been deleted under a
    later version than its own, which hides it: it is then put under the present time.

    Parameters
    ----------
    address : (str, int)
        The Thrift server.
    table : Table
        It exists.
    rows : iterable of Row
        As they should be; of two with one key, the later.

    Raises
    ------
    TransientError
        When HBase did not answer in time; the same call again is right.
    OperationError
        When HBase refuses, or what was put cannot be read.
    """
    changed, source = 0, iter(rows)
    while chunk := {row.key: row for row in islice(source, BATCH_ROWS)}:
        there = _read(address, table, chunk)
        wrong = [row for row in chunk.values() if not _is_right(row, there)]
        if not wrong:
            continue
        changed += len(wrong)
        put_rows(address, table, [row._replace(timestamp_ms=_above(row, there)) for row in wrong])
        delete_rows(address, table, _superfluous(wrong, there))
        _put_under_the_present_time(address, table, _wrong(address, table, wrong))
    return changed


def remove(address: Address, table: Table, keys: Iterable[bytes]) -> int:
    """Delete rows, and return how many there were; only what is there now is hidden, not what comes back later.

    Raises
    ------
    TransientError
        When HBase did not answer in time; the same call again is right.
    """
    removed, source = 0, iter(keys)
    while chunk := list(islice(source, BATCH_ROWS)):
        there = _read(address, table, chunk)
        newest = {key: max(version for _, version in cells.values()) for key, cells in there.items()}
        removed += delete_rows(address, table, [Gone(key, version) for key, version in newest.items()])
    return removed


def _read(address: Address, table: Table, keys: Iterable[bytes]) -> Held:
    with answering(address), closing(connect(*address)) as connection:
        return dict(connection.table(table.name).rows(list(keys), include_timestamp=True))


def _wrong(address: Address, table: Table, rows: Sequence[Row]) -> list[Row]:
    there = _read(address, table, [row.key for row in rows])
    return [row for row in rows if not _is_right(row, there)]


def _is_right(row: Row, there: Held) -> bool:
    return {cell: value for cell, (value, _) in there.get(row.key, {}).items()} == row.cells


def _above(row: Row, there: Held) -> int:
    versions = [version for _, version in there.get(row.key, {}).values()]
    return max(row.timestamp_ms, max(versions) + 1) if versions else row.timestamp_ms


def _superfluous(rows: Iterable[Row], there: Held) -> Iterator[Gone]:
    for row in rows:
        held = there.get(row.key, {})
        if cells := tuple(cell for cell in held if cell not in row.cells):
            yield Gone(row.key, max(held[cell][1] for cell in cells), cells)


def _put_under_the_present_time(address: Address, table: Table, hidden: Sequence[Row]) -> None:
    for _ in range(ATTEMPTS):
        if not hidden:
            return
        now = int(time.time() * 1000)
        put_rows(address, table, [row._replace(timestamp_ms=now) for row in hidden])
        hidden = _wrong(address, table, hidden)
        # What was deleted this very millisecond hides what is put in it.
        time.sleep(0.002 if hidden else 0)
    if hidden:
        message = (
            f"hbase table {table.name}: a row that was put must be there; got another under {hidden[0].key[:60]!r}; "
            "see that nobody else writes to it, then try again"
        )
        raise OperationError(message)
