"""Putting rows into a table, and deleting what is to go.

Every cell has an explicit timestamp, so the same rows can be put any number of times and in any order: a request whose
outcome is not known is simply made again. A delete hides what is not newer than its timestamp, also what is put later:
so the two never share a request, and a row that may come back is given a later timestamp.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from happybase import Batch, Connection
from Hbase_thrift import IOError as HBaseError
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from fink_dagster.hbase.connection import NO_ANSWER, TIMEOUT_SECONDS, Address, answering, is_hopeless
from fink_dagster.hbase.rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fink_dagster.hbase.tables import Table

BATCH_ROWS = 200
WINDOW_ROWS = 1000
"""Rows held back to bring those of one timestamp together: a request carries only one."""
PATIENCE_SECONDS = 90.0  # more than a region server takes to come back after a crash: session time-out and WAL split


class Gone(NamedTuple):
    """What is to be deleted: a row, or some of its cells, as far as it is not newer than a version [ms since 1970]."""

    key: bytes
    timestamp_ms: int
    cells: tuple[bytes, ...] = ()


Mutation = TypeVar("Mutation", Row, Gone)


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
    return _sent(address, table, rows, _put, timeout_s, patience_s)


def delete_rows(address: Address, table: Table, gone: Iterable[Gone]) -> int:
    """Delete rows and cells and return how many there were to delete; those not there are as good.

    Raises
    ------
    TransientError
        When HBase did not take a batch in time; deleting all again is right.
    OperationError
        When HBase refuses, for example because the table is not there.
    """
    return _sent(address, table, gone, _delete, TIMEOUT_SECONDS, PATIENCE_SECONDS)


def _put(batch: Batch, row: Row) -> None:
    batch.put(row.key, row.cells)


def _delete(batch: Batch, gone: Gone) -> None:
    batch.delete(gone.key, gone.cells or None)


def _sent(
    address: Address,
    table: Table,
    mutations: Iterable[Mutation],
    act: Callable[[Batch, Mutation], None],
    timeout_s: float,
    patience_s: float,
) -> int:
    sent = 0
    line = _Line(address, timeout_s)
    with closing(line):
        for timestamp, batch in _batches(mutations):
            tries = Retrying(
                retry=retry_if_exception(_may_succeed),
                stop=stop_before_delay(patience_s),
                wait=wait_random_exponential(multiplier=0.2, max=5),
                before_sleep=lambda _: line.close(),
                reraise=True,
            )
            with answering(address):
                tries(line.send, table, batch, timestamp, act)
            sent += len(batch)
    return sent


class _Line:
    """A connection made when it is needed and forgotten when it broke."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._connection: Connection | None = None

    def send(
        self, table: Table, mutations: Sequence[Mutation], timestamp: int, act: Callable[[Batch, Mutation], None]
    ) -> None:
        if self._connection is None:
            host, port = self._address
            self._connection = Connection(host, port, timeout=int(self._timeout_s * 1000))
        batch = self._connection.table(table.name).batch(timestamp=timestamp)
        for mutation in mutations:
            act(batch, mutation)
        batch.send()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _may_succeed(error: BaseException) -> bool:
    return isinstance(error, NO_ANSWER) or (isinstance(error, HBaseError) and not is_hopeless(error))


def _batches(mutations: Iterable[Mutation]) -> Iterator[tuple[int, list[Mutation]]]:
    """Yield those of one timestamp, at most BATCH_ROWS at once."""
    source = iter(mutations)
    while window := list(islice(source, WINDOW_ROWS)):
        by_timestamp: dict[int, list[Mutation]] = defaultdict(list)
        for mutation in window:
            by_timestamp[mutation.timestamp_ms].append(mutation)
        for timestamp, same in by_timestamp.items():
            for start in range(0, len(same), BATCH_ROWS):
                yield timestamp, same[start : start + BATCH_ROWS]
