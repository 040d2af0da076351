"""A survey's quality cuts over a table of alerts in memory.

The same answer as raw2science's, which puts it to Spark; which cuts there are, the survey says.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.surveys.base import Cut

_OPERATORS = {"==": operator.eq, "!=": operator.ne, ">=": operator.ge}


def rejection(alerts: pd.DataFrame, cuts: Sequence[Cut]) -> pd.Series:
    """Return for each alert the reason of the first cut it fails, in the survey's order; None when it passes all.

    Parameters
    ----------
    alerts : DataFrame
        With a column of numbers for every cut's field; null or NaN where an alert has none.
    cuts : sequence of Cut
        What an alert must pass.
    """
    reasons = pd.Series([None] * len(alerts), index=alerts.index, dtype=object)
    for cut in reversed(cuts):
        reasons[~passes(alerts[cut.field], cut)] = cut.reason
    return reasons


def value_passes(value: float | None, cut: Cut) -> bool:
    """Tell whether one value passes a cut; a null or a NaN does not."""
    return value is not None and not math.isnan(value) and bool(_OPERATORS[cut.operator](float(value), cut.value))


def passes(column: pd.Series, cut: Cut) -> np.ndarray:
    """Tell which values pass a cut; a null or a NaN does not.

    Compared as double, as Spark does: 0.55 is another number in single precision.
    """
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    passed: np.ndarray = _OPERATORS[cut.operator](values, cut.value) & ~np.isnan(values)
    return passed
