"""The tables: one declaration each, of its row key, its families, and where every column comes from and what it holds.

Writers, readers and documents follow from these. Which bytes a value becomes is said in ``codec``, those of a key in
``keys``, which rows an alert has in ``rows``; what a survey's index tables are, the survey says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import OperationError
from fink_dagster.hbase.codec import ENCODERS
from fink_dagster.hbase.keys import SCHEMA
from fink_dagster.surveys.avro import by_place, fields_of, not_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fink_dagster.surveys.archive import ArchiveTable, History
    from fink_dagster.surveys.base import Cut, Survey

ORIGINAL, ADDED = "i", "d"
NIGHT = "night"
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
        Flat name: key of the records rows are made of, qualifier of the cell.
    path : str
        Dotted path of the value in the science table; within a point where rows are points of a history.
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
    holds : str
        What its rows are, for those who search.
    columns : tuple of Column
        Names are unique, across families too.
    key : tuple of str
        Names of the columns whose values the row key is made of, in this order.
    where : tuple of Cut
        What a record must pass to have a row; fields are names of columns.
    newest_of_object : bool
        Whether an object has one row, made of its newest alert.
    history : History, optional
        When rows are points of a history.
    families : tuple of str
        Its column families.
    """

    name: str
    holds: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    where: tuple[Cut, ...] = ()
    newest_of_object: bool = False
    history: History | None = None
    families: tuple[str, ...] = (ORIGINAL, ADDED)

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

    @property
    def of_alerts(self) -> bool:
        """Whether a row is an alert."""
        return self.history is None and not self.newest_of_object

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


def archive_tables(
    survey: Survey, added: Iterable[tuple[str, str]], *, alert_schema: Mapping[str, Any] | None = None
) -> tuple[Table, ...]:
    """Declare the tables a survey's science alerts are archived in, the main one first.

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
    schema = survey.alert_schema if alert_schema is None else alert_schema
    main = _main_table(survey, added, schema)
    return (main, *(_index_table(survey, declared, main, schema) for declared in survey.archive_tables))


def schema_row(table: Table, broker_version: str, science_version: str) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the row that tells how to read the cells: per column, the Spark name of the type its bytes have."""
    cells = {column.cell: _TYPE_TO_READ.get(column.type, "string").encode() for column in table.columns}
    return f"{SCHEMA}_{broker_version}_{science_version}".encode(), cells


def _main_table(survey: Survey, added: Iterable[tuple[str, str]], alert_schema: Mapping[str, Any]) -> Table:
    """Declare the main table: one row per alert, named like the survey.

    Family ``i`` has the scalar fields of the alert and of the record that holds its time; a field both have, such as
    ZTF's candid, is one cell. History and stamps stay in the lake.
    """
    record = survey.night_rule.field.rpartition(".")[0]
    fields = fields_of(by_place(alert_schema))
    original = {name: _original(name, name, kind) for name, kind in fields.items()}
    for name, kind in fields_of(fields[record]).items() if record else ():
        original.setdefault(name, _original(name, f"{record}.{name}", kind))
    broker = list(added)
    if NIGHT not in dict(broker):
        broker.append((NIGHT, "string"))
    columns = [column for column in original.values() if column is not None]
    columns += [Column(name, name, ADDED, kind) for name, kind in broker]
    key = (survey.object_identifier, survey.night_rule.field, survey.identifier)
    return Table(survey.name, "every science alert, by object and time", tuple(columns), tuple(map(_flat, key)))


def _index_table(survey: Survey, declared: ArchiveTable, main: Table, alert_schema: Mapping[str, Any]) -> Table:
    columns = {column.path: column for column in main.columns}
    if declared.history:
        points = _fields_of_points(alert_schema, declared.history.path)
        columns |= {name: column for name, kind in points.items() if (column := _original(name, name, kind))}
    held = [columns[path] for path in (*declared.columns, NIGHT) if path in columns]
    # A column nobody adds yet may be one of the key; then no alert has a row.
    key = [columns.get(path, Column(_flat(path), path, ADDED, "string")) for path in declared.key]
    names = tuple(column.name for column in key)
    is_alert = declared.history is None and not declared.newest_of_object
    return Table(
        name=f"{survey.name}.{declared.name}",
        holds=declared.holds,
        columns=tuple(dict.fromkeys([*held, *(column for column in key if column.name not in _names(held))])),
        key=(*names, _flat(survey.identifier)) if is_alert else names,
        where=tuple(replace(cut, field=_flat(cut.field)) for cut in declared.where),
        newest_of_object=declared.newest_of_object,
        history=declared.history,
    )


def _fields_of_points(alert_schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    array = not_null(fields_of(by_place(alert_schema))[path])
    fields: Mapping[str, Any] = fields_of(array["items"])
    return fields


def _names(columns: Iterable[Column]) -> set[str]:
    return {column.name for column in columns}


def _flat(path: str) -> str:
    return path.rpartition(".")[2]


def _original(name: str, path: str, schema: Any) -> Column | None:
    kind = not_null(schema)
    return Column(name, path, ORIGINAL, _SPARK_TYPES[kind]) if isinstance(kind, str) and kind in _SPARK_TYPES else None


def _check(names: Sequence[str], what: str) -> None:
    twice = [name for name in names if names.count(name) > 1]
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong or twice:
        wanted = "occur once" if twice else "be letters, digits, '_', '-' and '.', at most 100, no digit first"
        message = f"hbase {what}: must {wanted}; got {(twice or wrong)[0][:60]!r}; rename it"
        raise OperationError(message)
