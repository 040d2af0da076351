"""Which rows a record of the science table has: their keys and cells, table by table.

Pure: nothing is put. What a table is, is said in ``tables``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from fink_dagster.errors import OperationError
from fink_dagster.hbase.codec import ENCODERS
from fink_dagster.hbase.keys import row_key
from fink_dagster.hbase.tables import NIGHT
from fink_dagster.surveys.cuts import value_passes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fink_dagster.hbase.tables import Column, Table
    from fink_dagster.surveys.base import Survey

Cells = dict[bytes, bytes]


class Row(NamedTuple):
    """A row to put: its key, its cells by name as ``i:jd``, and the version of them all [ms since 1970]."""

    key: bytes
    cells: Mapping[bytes, bytes]
    timestamp_ms: int


def key_of(table: Table, record: Mapping[str, Any]) -> bytes | None:
    """Return the key of a record's row; None where it has none, because a part of the key is absent or it fails a cut.

    Parameters
    ----------
    table : Table
        Which table.
    record : mapping
        Values by flat name.
    """
    parts = [record.get(name) for name in table.key]
    if any(part is None or part == "" for part in parts):
        return None
    if not all(value_passes(record.get(cut.field), cut) for cut in table.where):
        return None
    first, *others = parts
    return row_key(first, *others)  # type: ignore[arg-type]


def row_cells(table: Table, record: Mapping[str, Any]) -> tuple[bytes, Cells]:
    """Return row key and cells of a record that must have a row.

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
    key = key_of(table, record)
    if key is None or not record.get(NIGHT):
        absent = next(name for name in (*table.key, NIGHT) if record.get(name) in (None, ""))
        message = f"hbase table {table.name}: a row must have {absent}; got none; reject the alert before"
        raise OperationError(message)
    return key, {column.cell: _cell(table, column, record.get(column.name)) for column in table.columns}


def rows_of_alert(tables: Iterable[Table], record: Mapping[str, Any], timestamp_ms: int) -> dict[str, Row]:
    """Return the rows of an alert by table.

    Parameters
    ----------
    tables : iterable of Table
        The main table first; the columns of the others are among its own.
    record : mapping
        The alert, by flat name.
    timestamp_ms : int
        Version of the cells.
    """
    main, *others = tables
    key, cells = row_cells(main, record)
    rows = {main.name: Row(key, cells, timestamp_ms)}
    for table in others:
        if (key_there := key_of(table, record)) is not None:
            of_table = {column.cell: cells.get(column.cell, b"") for column in table.columns}
            rows[table.name] = Row(key_there, of_table, timestamp_ms)
    return rows


def rows_of_points(
    survey: Survey, table: Table, record: Mapping[str, Any], points: Iterable[Mapping[str, Any]], timestamp_ms: int
) -> list[Row]:
    """Return the rows of points of an alert's history; a point has the night of its own time.

    Parameters
    ----------
    survey : Survey
        Whose alert.
    table : Table
        Its rows are points of a history.
    record : mapping
        The alert, by flat name.
    points : iterable of mapping
        Those that are rows; one that lacks a part of the key, or whose time is none, has no row.
    timestamp_ms : int
        Version of the cells.
    """
    time, name = survey.night_rule.field.rpartition(".")[2], survey.object_identifier
    rows = []
    for point in points:
        try:
            night = survey.night_rule.night(point[time]).key
        except (TypeError, ValueError):
            continue
        values = {**point, name: record[name], NIGHT: night}
        if key_of(table, values) is not None:
            rows.append(Row(*row_cells(table, values), timestamp_ms))
    return rows


def _cell(table: Table, column: Column, value: Any) -> bytes:
    if value is None:
        return b""
    try:
        return ENCODERS[column.type](value)
    except (TypeError, ValueError, OverflowError, struct.error):
        got = f"a {type(value).__name__} that is not"
        message = f"hbase table {table.name}: column {column.name} must be {column.type}; got {got}; correct its type"
        raise OperationError(message) from None
