"""``yso_spicy_candidates``: young stars of SPICY that get brighter or fainter steadily (fink-filters, same name).

Upstream's slope is that of ``lc_features_r``; how well a line fits it measures on the points themselves, and so it is
here. Upstream's writes to Telegram; this one writes to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.filters import light_curve
from fink_dagster.filters.conditions import found_something
from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import numbers

if TYPE_CHECKING:
    import pandas as pd

LEAST_SLOPE = 0.025
"""Of the linear fit, up or down [mag/d]."""
LEAST_R2 = 0.6
FEWEST_POINTS = 5
RED = 2
_POINTS = ("jd", "magpsf", "fid")


def r2_of_line(x: np.ndarray, y: np.ndarray) -> float:
    """Return which share of the variance a straight line explains; NaN for less than 5 points, or without variance."""
    if len(x) < FEWEST_POINTS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _is_steady(spicy_class: pd.Series, slope: pd.Series, *points: pd.Series) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        passes = found_something(spicy_class) & (np.abs(numbers(slope)) > LEAST_SLOPE)
    for row, (jd, magpsf, fid) in light_curve.curves(points, passes):
        used = (fid == RED) & ~np.isnan(magpsf)
        passes[row] = r2_of_line(jd[used], magpsf[used]) > LEAST_R2
    return passes


FILTER = Filter(
    name="yso_spicy_candidates",
    inputs=("spicy_class", "lc_features_r.linear_fit_slope", *light_curve.paths(*_POINTS)),
    predicate=_is_steady,
    description="Alerts of candidate young stars of SPICY whose r magnitude changes steadily, by more than 0.025 a day",
    owner="fink",
    version="1",
)
