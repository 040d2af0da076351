"""What a processor of fink-science is given: columns of alerts as Spark would hand them to a pandas UDF.

The forms an argument can have, each made of the columns science modules get. How a processor is declared and called is
said in ``fink_science``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa


class Argument(Protocol):
    """What a processor is given in one place of its signature."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Columns it is made of, called as in :class:`~fink_dagster.science.module.Module`."""

    def column(self, given: pd.DataFrame) -> pd.Series:
        """Return one value per alert, as a pandas UDF receives it; the columns are called by their paths."""


@dataclass(frozen=True)
class Field:
    """A column as it is; its path alone means the same."""

    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The column."""
        return (self.path,)

    def column(self, given: pd.DataFrame) -> pd.Series:
        """Return it without pandas' nullable types, which Spark does not use."""
        return _arrow(given[self.path]).to_pandas()


@dataclass(frozen=True)
class WithHistory:
    """A field's values in the history of an alert and, last, its own: ``concat_col`` of fink-utils.

    Parameters
    ----------
    field : str
        Its name in both.
    history, current : str
        Where they are.
    """

    field: str
    history: str = "prv_candidates"
    current: str = "candidate"

    @property
    def paths(self) -> tuple[str, ...]:
        """The history and the alert."""
        return f"{self.history}.{self.field}", f"{self.current}.{self.field}"

    def column(self, given: pd.DataFrame) -> pd.Series:
        """Return an array per alert, of the type its own value has."""
        before, now = (_arrow(given[path]) for path in self.paths)
        joined = [[*(past or ()), value] for past, value in zip(before.to_pylist(), now.to_pylist(), strict=True)]
        return pa.array(joined, None if pa.types.is_null(now.type) else pa.list_(now.type)).to_pandas()


@dataclass(frozen=True)
class Constant:
    """The same value for every alert: ``lit`` of Spark."""

    value: str | float
    paths: tuple[str, ...] = ()

    def column(self, given: pd.DataFrame) -> pd.Series:
        """Return it once per alert."""
        return pd.Series([self.value] * len(given))


@dataclass(frozen=True)
class MapOf:
    """Records in several columns as one map per alert, such as the features of each band; a null one is not in it.

    Parameters
    ----------
    columns : mapping
        Key the processor knows -> column of records.
    """

    columns: Mapping[str | int, str]

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.columns.values())

    def column(self, given: pd.DataFrame) -> pd.Series:
        """Return a dict of dicts per alert, numbers that are null as NaN."""
        rows = [zip(self.columns, row, strict=True) for row in zip(*(given[path] for path in self.paths), strict=True)]
        cells = [{key: _with_nan(record) for key, record in row if record is not None} for row in rows]
        return pd.Series(cells, dtype=object)


def _arrow(column: pd.Series) -> pa.Array:
    # The way on to pandas is then the one Spark takes: an integer beside a null becomes a float, for one.
    return pa.array(column, from_pandas=True)


def _with_nan(record: Mapping[str, float | None]) -> dict[str, float]:
    return {name: np.nan if value is None else value for name, value in record.items()}
