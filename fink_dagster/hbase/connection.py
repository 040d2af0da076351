"""Reaching HBase: a connection to the Thrift server, the sentence for one that does not answer, tables made ready.

What is put into a table belongs to ``writer``, what a table is to ``tables``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import happybase
from happybase import Connection
from Hbase_thrift import AlreadyExists
from Hbase_thrift import IOError as HBaseError
from thriftpy2.protocol.exc import TProtocolException
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TTransportException

from fink_dagster.errors import OperationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from fink_dagster.hbase.tables import Table

AT_ONCE = 10
"""Tables that are created at the same time."""
TIMEOUT_SECONDS = 60.0  # thriftpy2's own 3 s are less than a region server may take to come back
FAMILY = {"max_versions": 1, "bloom_filter_type": "ROW", "block_cache_enabled": True}
"""Options of every family: Thrift's defaults would keep three versions of a cell and cache nothing."""
NO_ANSWER = (TTransportException, OSError, EOFError)
"""What happybase raises when the server did not answer; the outcome of what was asked is then not known."""

_HOPELESS = ("NoSuchColumnFamilyException", "TableNotFoundException", "TableNotEnabledException", "DoNotRetryIO")

Address = tuple[str, int]


def connect(host: str, port: int, timeout_s: float = TIMEOUT_SECONDS) -> Connection:
    """Open a connection to a Thrift server.

    An idle connection is closed by the server after a minute, so one serves a batch of work and is closed.

    Parameters
    ----------
    host, port : str, int
        Where the Thrift server listens.
    timeout_s : float
        How long it may take to answer any one request [s].

    Raises
    ------
    TransientError
        When none answers.
    """
    with answering((host, port)):
        return happybase.Connection(host, port, timeout=int(timeout_s * 1000))


@contextmanager
def answering(address: Address) -> Iterator[None]:
    """Turn happybase's errors inside the block into ours.

    Raises
    ------
    TransientError
        When the server did not answer, or HBase behind it is not ready.
    OperationError
        When HBase refused for good, or something else than a Thrift server answered.
    """
    where = f"{address[0]}:{address[1]}"
    try:
        yield
    except NO_ANSWER as error:
        got = type(error).__name__
        message = f"hbase: a Thrift server must answer at {where}; none did; {got}; start it with `make up`"
        raise TransientError(message) from None
    except HBaseError as error:
        text = _first_line(error)
        if is_hopeless(error):
            message = f"hbase: {where} must do what was asked; it says {text!r}; see that the table has its families"
            raise OperationError(message) from None
        message = f"hbase: {where} must be ready; it says {text!r}; try again in a minute"
        raise TransientError(message) from None
    except (TProtocolException, TApplicationException) as error:
        message = (
            f"hbase: a Thrift server, unframed and binary, must answer at {where}; got {type(error).__name__}; "
            "check the address"
        )
        raise OperationError(message) from None


def is_hopeless(error: HBaseError) -> bool:
    """Tell whether HBase would refuse the same request again."""
    return any(name in _text(error) for name in _HOPELESS)


def ensure_tables(address: Address, tables: Iterable[Table]) -> None:
    """Create the tables that are missing; another process may do the same at the same time.

    Raises
    ------
    TransientError
        When HBase does not answer.
    OperationError
        When a table of one of the names lacks a family.
    """
    with answering(address):
        with closing(connect(*address)) as connection:
            there = set(connection.tables())
        # HBase needs a second and more for each, and most of it is waiting.
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(_ensure, address, there), tables))


def _ensure(address: Address, there: Collection[bytes], table: Table) -> None:
    with closing(connect(*address)) as connection:
        if table.name.encode() not in there:
            _create(connection, table)
        _must_have_families(connection, table)


def _must_have_families(connection: Connection, table: Table) -> None:
    there = {family.rstrip(b":").decode() for family in connection.table(table.name).families()}
    if set(table.families) - there:
        message = (
            f"hbase table {table.name}: must have families {', '.join(table.families)}; "
            f"got {', '.join(sorted(there))}; drop it and archive its nights again"
        )
        raise OperationError(message)


def _create(connection: Connection, table: Table) -> None:
    try:
        connection.create_table(table.name, {family: dict(FAMILY) for family in table.families})
    except AlreadyExists:
        pass  # another process was faster: as good
    except HBaseError as error:
        if "TableExistsException" not in _text(error):
            raise


def _text(error: HBaseError) -> str:
    text = error.message or b""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _first_line(error: HBaseError) -> str:
    return _text(error).strip().partition("\n")[0][:200]
