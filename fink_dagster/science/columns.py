"""Columns of alerts as numpy arrays: nulls become NaN, and a NaN fails every comparison.

Only the passage from pandas to numpy that science modules share, and how a packet's fields are read there; no rule of
any module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection

POSITIVE = ("t", "1")
"""How the survey says that a source is brighter than the reference; histories hold both."""


def numbers(column: pd.Series) -> np.ndarray:
    """Return a column of numbers as float64, null as NaN.

    Only for quantities and small counts: identifiers of 18 digits do not survive a float.
    """
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def arrays(column: pd.Series) -> list[np.ndarray]:
    """Return a column of arrays as float64 arrays, a null array as an empty one, null items as NaN."""
    return [np.asarray([] if cell is None else cell, dtype=np.float64) for cell in column]


def is_positive(isdiffpos: pd.Series | np.ndarray, signs: tuple[str, ...] = POSITIVE) -> np.ndarray:
    """Tell where a source is said to be brighter than the reference; a null says nothing, which is no yes."""
    return pd.Series(isdiffpos, dtype=object).isin(signs).to_numpy(dtype=bool)


def history_lengths(fields: Collection[pd.Series]) -> np.ndarray:
    """Return how many points each alert's history has: as many as its longest field; a null field has none."""
    lengths = [[0 if cell is None else len(cell) for cell in field] for field in fields]
    return np.array(lengths, dtype=np.int64).max(axis=0)


def joined_histories(field: pd.Series, lengths: np.ndarray, kind: type = np.float64) -> np.ndarray:
    """Return one field of all histories as one array, alert after alert.

    A field that is shorter than its history, as a null one is, is null in every point of it: nobody knows which points
    its values belong to.

    Parameters
    ----------
    field : Series of arrays
        One array, or None, per alert.
    lengths : array of int
        Points of each history, as :func:`history_lengths` returns it.
    kind : type
        ``float64``, where a null is NaN, or ``object``, where it is None.
    """
    absent = np.full(max(lengths, default=0), None, dtype=kind)
    whole = [
        absent[:length] if cell is None or len(cell) != length else np.asarray(cell, dtype=kind)
        for cell, length in zip(field, lengths.tolist(), strict=True)
    ]
    return np.concatenate([absent[:0], *whole])
