"""``fast_riser_candidates``: young and getting brighter fast (fink-filters, livestream filter of that name).

Upstream limits the rate to 6 mag/d, which changes no verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.filters import light_curve
from fink_dagster.filters.conditions import age, is_no_known_asteroid, is_possible_host
from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import numbers
from fink_dagster.science.roid import CANDIDATE

if TYPE_CHECKING:
    import pandas as pd

LONGEST_AGE_DAYS = 60.0
LEAST_DRB = 0.5
LEAST_RATE = 0.25
"""Brightening [mag/d]."""
SHORTEST_PAIR_DAYS = 0.02
_POINTS = ("jd", "magpsf", "fid")


def rise_rate(jd: np.ndarray, magnitude: np.ndarray, band: np.ndarray) -> float:
    """Return the fastest brightening between neighbouring measured points of a band [mag/d], 0 where there is none.

    Parameters
    ----------
    jd : array of float
        Times [d], in any order.
    magnitude : array of float
        NaN where nothing was measured.
    band : array of float
        Number of the band.
    """
    measured = np.flatnonzero(~np.isnan(magnitude) & ~np.isnan(jd))
    points = measured[np.lexsort((jd[measured], band[measured]))]
    dt, dmag = np.diff(jd[points]), -np.diff(magnitude[points])
    pair = (np.diff(band[points]) == 0) & (dt >= SHORTEST_PAIR_DAYS)
    return float(np.max(dmag[pair] / dt[pair], initial=0.0))


def _is_rising(
    cdsxmatch: pd.Series, roid: pd.Series, drb: pd.Series, jdstarthist: pd.Series, *points: pd.Series
) -> np.ndarray:
    passes = is_possible_host(cdsxmatch) & is_no_known_asteroid(roid) & (numbers(roid) != CANDIDATE)
    passes &= (numbers(drb) > LEAST_DRB) & (age(points[0], jdstarthist) <= LONGEST_AGE_DAYS)
    for row, curve in light_curve.curves(points, passes):
        passes[row] = rise_rate(*curve) >= LEAST_RATE
    return passes


FILTER = Filter(
    name="fast_riser_candidates",
    inputs=("cdsxmatch", "roid", "candidate.drb", "candidate.jdstarthist", *light_curve.paths(*_POINTS)),
    predicate=_is_rising,
    description="Alerts at most 60 days after the first detection that brighten by at least 0.25 mag a day",
    owner="fink",
    version="1",
)
