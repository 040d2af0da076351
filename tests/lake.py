"""A lake held in lists, read as :class:`fink_dagster.lake.reading.LakeReader` reads the real one."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyiceberg.expressions import AlwaysFalse, And, BooleanExpression, EqualTo, In

from fink_dagster.lake.reading import EVERYTHING

_MAPS = {"index_keys": pa.map_(pa.string(), pa.binary())}
"""Of columns whose type is not told by their values."""


class FakeLakeReader:
    """Rows by table; a table without rows is not there."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self.tables = tables

    def rows(self, name: str, columns: tuple[str, ...], where: BooleanExpression = EVERYTHING) -> pa.Table | None:
        if not self.tables.get(name):
            return None
        top = list(dict.fromkeys(column.partition(".")[0] for column in columns))
        found = [{column: row[column] for column in top} for row in self.tables[name] if _matches(row, where)]
        return pa.table({name: pa.array([row[name] for row in found], _MAPS.get(name)) for name in top})

    def count_night(self, name: str, night: str) -> int:
        return sum(row["night"] == night for row in self.tables.get(name, []))


def _matches(row: dict[str, Any], where: BooleanExpression) -> bool:
    if isinstance(where, And):
        return _matches(row, where.left) and _matches(row, where.right)
    if isinstance(where, EqualTo):
        return row[where.term.name] == where.literal.value
    if isinstance(where, In):
        return row[where.term.name] in {literal.value for literal in where.literals}
    return not isinstance(where, AlwaysFalse)
