"""Putting rows into a table, and counting what is there of a night.

Every cell has an explicit timestamp, so the same rows can be put any number of times and in any order: a request whose
outcome is not known is simply made again. Rows are only put, never deleted.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from happybase import Connection
from Hbase_thrift import IOError as HBaseError
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from fink_dagster.hbase.connection import NO_ANSWER, TIMEOUT_SECONDS, Address, answering, connect, is_hopeless
from fink_dagster.hbase.tables import ADDED, NIGHT, Table
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BATCH_ROWS = 200
WINDOW_ROWS = 1000
"""Rows held back to bring those of one timestamp together: a request carries only one."""
PATIENCE_SECONDS = 90.0  # more than a region server takes to come back after a crash: session time-out and WAL split
SCAN_ROWS = 1000


class Row(NamedTuple):
    """A row to put: its key, its cells by name as ``i:jd``, and the version of them all [ms since 1970]."""

    key: bytes
    cells: Mapping[bytes, bytes]
    timestamp_ms: int


def put_rows(
    address: Address,
    table: Table,
    rows: Iterable[Row],
    *,
    timeout_s: float = TIMEOUT_SECONDS,
    patience_s: float = PATIENCE_SECONDS,
) -> int:
    """Put rows and return how many, once HBase has all of them.

    Of two puts of a cell the one with the higher timestamp wins, whatever the order; with equal ones, the later.

    Parameters
    ----------
    address : (str, int)
        The Thrift server.
    table : Table
        Where they go; it exists.
    rows : iterable of Row
        Read a thousand at a time.
    timeout_s : float
        How long one request may take [s].
    patience_s : float
        How long a batch is tried again, each time on a new connection [s].

    Raises
    ------
    TransientError
        When HBase did not take a batch in time. Those before it are there; putting all again is right.
    OperationError
        When HBase refuses, for example because the table is not there.
    """
    put = 0
    line = _Line(address, timeout_s)
    with closing(line):
        for timestamp, batch in _batches(rows):
            tries = Retrying(
                retry=retry_if_exception(_may_succeed),
                stop=stop_before_delay(patience_s),
                wait=wait_random_exponential(multiplier=0.2, max=5),
                before_sleep=lambda _: line.close(),
                reraise=True,
            )
            with answering(address):
                tries(line.put, table, batch, timestamp)
            put += len(batch)
    return put


def count_rows(address: Address, table: Table, night: Night, *, timeout_s: float = TIMEOUT_SECONDS) -> int:
    """Count the rows of a night; schema rows have none.

    The server looks at one cell of every row of the table, so the cost grows with all nights together.

    Raises
    ------
    TransientError
        When HBase does not answer in time.
    OperationError
        When there is no such table.
    """
    wanted = Night.parse(str(night)).key  # it becomes part of a filter's text
    filters = f"SingleColumnValueFilter('{ADDED}', '{NIGHT}', =, 'binary:{wanted}', true, true) AND KeyOnlyFilter()"
    with answering(address), closing(connect(*address, timeout_s)) as connection:
        columns = [f"{ADDED}:{NIGHT}".encode()]
        found = connection.table(table.name).scan(columns=columns, filter=filters.encode(), batch_size=SCAN_ROWS)
        return sum(1 for _ in found)


class _Line:
    """A connection made when it is needed and forgotten when it broke."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    def put(self, table: Table, batch: Sequence[Row], timestamp: int) -> None:
        if self._connection is None:
            host, port = self._address
            self._connection = Connection(host, port, timeout=int(self._timeout_s * 1000))
        mutations = self._connection.table(table.name).batch(timestamp=timestamp)
        for row in batch:
            mutations.put(row.key, row.cells)
        mutations.send()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _may_succeed(error: BaseException) -> bool:
    return isinstance(error, NO_ANSWER) or (isinstance(error, HBaseError) and not is_hopeless(error))


def _batches(rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
    """Yield rows of one timestamp, at most BATCH_ROWS at once."""
    source = iter(rows)
    while window := list(islice(source, WINDOW_ROWS)):
        by_timestamp: dict[int, list[Row]] = defaultdict(list)
        for row in window:
            by_timestamp[row.timestamp_ms].append(row)
        for timestamp, same in by_timestamp.items():
            for start in range(0, len(same), BATCH_ROWS):
                yield timestamp, same[start : start + BATCH_ROWS]
