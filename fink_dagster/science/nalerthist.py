"""``nalerthist``: how many times an alert's object was measured, the alert itself included.

Fink's module of the same name (fink-science, ``ztf/nalerthist``); upper limits in the history do not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.science.columns import arrays, numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    import pandas as pd


def nalerthist(magnitude: np.ndarray, history_magnitudes: list[np.ndarray]) -> np.ndarray:
    """Count the magnitudes that are there.

    Parameters
    ----------
    magnitude : array of float
        Magnitude of each alert [mag]; NaN where it has none.
    history_magnitudes : list of arrays of float
        Magnitudes of each alert's history [mag]; NaN marks an upper limit, an alert without history has an empty one.

    Returns
    -------
    array of int32
        0 where neither the alert nor its history was measured.
    """
    earlier = (np.count_nonzero(~np.isnan(history)) for history in history_magnitudes)
    counts: np.ndarray = np.fromiter(earlier, dtype=np.int32, count=len(history_magnitudes))
    counts += ~np.isnan(magnitude)
    return counts


def _columns(magpsf: pd.Series, history_magpsf: pd.Series) -> np.ndarray:
    return nalerthist(numbers(magpsf), arrays(history_magpsf))


MODULE = Module(
    name="nalerthist",
    version="1",
    inputs=("candidate.magpsf", "prv_candidates.magpsf"),
    outputs=(Output("nalerthist", "int", "", "Number of measured magnitudes in the history and the alert itself"),),
    function=_columns,
)
