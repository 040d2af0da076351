"""The tables: one declaration each, of its row key, its families, and where every column comes from and what it holds.

Which bytes a value becomes is said in ``codec``, how rows get to the server in ``writer``.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fink_dagster.errors import OperationError
from fink_dagster.hbase.codec import ENCODERS
from fink_dagster.surveys.avro import by_place, fields_of, not_null

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fink_dagster.surveys.base import Survey

ORIGINAL, ADDED = "i", "d"
NIGHT = "night"
LONGEST_NAME_BYTES = 200  # of an object, in a key; HBase admits 32,767 bytes in all
_SPARK_TYPES = {
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "string": "string",
    "boolean": "boolean",
}
_TYPE_TO_READ = {"int": "integer", "bigint": "long", "float": "float", "double": "double"}
"""Spark type names by which a reader of the schema row takes bytes for numbers; all else is text, as in Fink's."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
        Flat name: key of the records given to :func:`row_cells`, qualifier of the cell.
    path : str
        Dotted path of the value in the science table.
    family : str
        ``i`` for what the survey sent, ``d`` for what the broker adds.
    type : str
        Spark type name.
    """

    name: str
    path: str
    family: str
    type: str

    @cached_property
    def cell(self) -> bytes:
        """Name of the cell, as ``i:jd``."""
        return f"{self.family}:{self.name}".encode()


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    name : str
        Its name in HBase.
    families : tuple of str
        Its column families.
    columns : tuple of Column
        Names are unique, across families too.
    key : callable
        Makes the row key from a record of flat names; two alerts never share one.
    """

    name: str
    families: tuple[str, ...]
    columns: tuple[Column, ...]
    key: Callable[[Mapping[str, Any]], bytes]

    def __post_init__(self) -> None:
        _check([self.name], "table name")
        _check([column.name for column in self.columns], f"table {self.name}: column name")
        unknown = [column for column in self.columns if column.type not in ENCODERS]
        if unknown:
            message = (
                f"hbase table {self.name}: column {unknown[0].name} must be one of {', '.join(ENCODERS)}; "
                f"got {unknown[0].type!r}; flatten it or leave it out"
            )
            raise OperationError(message)


def main_table(
    survey: Survey, added: Iterable[tuple[str, str]], *, alert_schema: Mapping[str, Any] | None = None
) -> Table:
    """Declare a survey's main table: one row per alert, named like the survey.

    Family ``i`` has the scalar fields of the alert and of the record that holds its time; a field both have, such as
    ZTF's candid, is one cell. History and stamps stay in the lake. Row keys are ``<object>_<time>_<identifier>``:
    Fink's own lack the identifier and collide on real data (fink-broker, ``ztf/hbase_utils``).

    Parameters
    ----------
    survey : Survey
        Whose alerts.
    added : iterable of (str, str)
        Name and Spark type of each column the broker adds; the night is added by itself.
    alert_schema : mapping, optional
        The survey's alert schema with the fields that came since; without it, the one the survey knows.

    Raises
    ------
    OperationError
        When a name cannot be one in HBase, occurs twice, or a type has no cell.
    """
    record = survey.night_rule.field.rpartition(".")[0]
    fields = fields_of(by_place(survey.alert_schema if alert_schema is None else alert_schema))
    original = {name: _original(name, name, kind) for name, kind in fields.items()}
    for name, kind in fields_of(fields[record]).items() if record else ():
        original.setdefault(name, _original(name, f"{record}.{name}", kind))
    broker = list(added)
    if NIGHT not in dict(broker):
        broker.append((NIGHT, "string"))
    columns = [column for column in original.values() if column is not None]
    columns += [Column(name, name, ADDED, kind) for name, kind in broker]
    return Table(survey.name, (ORIGINAL, ADDED), tuple(columns), _alert_key(survey))


def row_key(name: str, time: float, identifier: int) -> bytes:
    """Return ``<object>_<time>_<identifier>``; distinct triples have distinct keys.

    The time is its shortest text that reads back the same; neither it nor the identifier holds a ``_``, so the parts
    can be told apart from the right. In a name everything but letters, digits and ``_.-~`` is percent-encoded; one that
    is too long, or begins as schema rows do, is altered in a way no encoded name can be.
    """
    text = quote(name, safe="", errors="surrogatepass")
    if len(text) > LONGEST_NAME_BYTES:
        text = f"%sha256-{hashlib.sha256(text.encode()).hexdigest()}"
    elif text.startswith("schema"):
        text = f"%73{text[1:]}"
    return f"{text}_{float(time)!r}_{int(identifier)}".encode("ascii")


def row_cells(table: Table, record: Mapping[str, Any]) -> tuple[bytes, dict[bytes, bytes]]:
    """Return row key and cells of one record.

    Parameters
    ----------
    table : Table
        Where it goes.
    record : mapping
        Values by flat name; one that is None or absent gives an empty cell, so that it replaces whatever was there.

    Raises
    ------
    OperationError
        When a value is not of its column's type, or the night or a part of the key is missing.
    """
    if not record.get(NIGHT):
        message = f"hbase table {table.name}: every row must have its {NIGHT}; got none; add it to the record"
        raise OperationError(message)
    cells = {column.cell: _cell(table, column, record.get(column.name)) for column in table.columns}
    return table.key(record), cells


def schema_row(table: Table, broker_version: str, science_version: str) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the row that tells how to read the cells: per column, the Spark name of the type its bytes have."""
    cells = {column.cell: _TYPE_TO_READ.get(column.type, "string").encode() for column in table.columns}
    return f"schema_{broker_version}_{science_version}".encode(), cells


def _original(name: str, path: str, schema: Any) -> Column | None:
    kind = not_null(schema)
    return Column(name, path, ORIGINAL, _SPARK_TYPES[kind]) if isinstance(kind, str) and kind in _SPARK_TYPES else None


def _alert_key(survey: Survey) -> Callable[[Mapping[str, Any]], bytes]:
    names = [path.rpartition(".")[2] for path in (survey.object_identifier, survey.night_rule.field, survey.identifier)]

    def key(record: Mapping[str, Any]) -> bytes:
        missing = [name for name in names if record.get(name) is None]
        if missing:
            message = f"hbase table {survey.name}: a row must have {missing[0]}; got none; reject the alert before"
            raise OperationError(message)
        name, time, identifier = (record[name] for name in names)
        return row_key(str(name), time, identifier)

    return key


def _cell(table: Table, column: Column, value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return ENCODERS[column.type](value)
    except (TypeError, ValueError, OverflowError, struct.error):
        got = f"a {type(value).__name__} that is not"
        message = f"hbase table {table.name}: column {column.name} must be {column.type}; got {got}; correct its type"
        raise OperationError(message) from None


def _check(names: Sequence[str], what: str) -> None:
    twice = [name for name in names if names.count(name) > 1]
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong or twice:
        wanted = "occur once" if twice else "be letters, digits, '_', '-' and '.', at most 100, no digit first"
        message = f"hbase {what}: must {wanted}; got {(twice or wrong)[0][:60]!r}; rename it"
        raise OperationError(message)
