"""Columns of alerts as numpy arrays: nulls become NaN, and a NaN fails every comparison.

Only the passage from pandas to numpy that all science modules share; no rule of any module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def numbers(column: pd.Series) -> np.ndarray:
    """Return a column of numbers as float64, null as NaN.

    Only for quantities and small counts: identifiers of 18 digits do not survive a float.
    """
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def arrays(column: pd.Series) -> list[np.ndarray]:
    """Return a column of arrays as float64 arrays, a null array as an empty one, null items as NaN."""
    return [np.asarray([] if cell is None else cell, dtype=np.float64) for cell in column]
