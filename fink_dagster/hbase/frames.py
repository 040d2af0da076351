"""Cells as pandas: a column per flat name, of the type its declaration has, with nulls.

Which rows are read belongs to ``scans`` and ``reader``; which bytes a value is to ``codec``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from fink_dagster.errors import unknown
from fink_dagster.hbase.codec import decode
from fink_dagster.science.module import PANDAS_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fink_dagster.hbase.tables import Column

_TYPES = {**PANDAS_TYPES, "date": "datetime64[s]", "timestamp": "datetime64[us, UTC]"}
"""All can hold a null; a 64-bit identifier never becomes a float."""


def chosen(columns: Iterable[Column], names: Sequence[str] | None) -> list[Column]:
    """Return the columns of some names, in their order; all of them without names.

    Raises
    ------
    UserError
        When there is none of a name.
    """
    by_name = {column.name: column for column in columns}
    for name in names or ():
        if name not in by_name:
            raise unknown("column", name, by_name)
    return list(by_name.values()) if names is None else [by_name[name] for name in dict.fromkeys(names)]


def frame_of(columns: Sequence[Column], rows: Iterable[Mapping[bytes, bytes]]) -> pd.DataFrame:
    """Return rows as a frame; a cell that is absent or empty is null, and so is a NaN.

    Parameters
    ----------
    columns : sequence of Column
        What to take, in this order.
    rows : iterable of mapping
        Cells by name, as ``i:jd``.
    """
    held = list(rows)
    return pd.DataFrame({column.name: _column(column, held) for column in columns})


def _column(column: Column, rows: Sequence[Mapping[bytes, bytes]]) -> pd.Series:
    values = [decode(cells.get(column.cell, b""), column.type) for cells in rows]
    return pd.Series(values, dtype=_TYPES[column.type], name=column.name)
