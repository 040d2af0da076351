"""``rate_based_kn_candidates``: new and fading fast (fink-filters, livestream filter of that name).

Upstream asks the SDSS over the network. Here what it says is a column that a cross-match can add, and the filter comes
alive when it does: ``is_sdss_star``, whether the SDSS has a star or a quasar within 5 arcsec. Upstream lets a failed
answer pass; here a null does not. Upstream fits with times of 2.4e6 d, here they count from the first point; a slope
differs by less than 1e-6 mag/d.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.filters import light_curve
from fink_dagster.filters.conditions import age, is_possible_host
from fink_dagster.filters.filter import Filter
from fink_dagster.science.classification import KILONOVA_DAYS, KILONOVA_DETECTIONS, is_real_and_pointlike
from fink_dagster.science.columns import is_positive, numbers
from fink_dagster.science.lc_features import apparent_magnitudes

if TYPE_CHECKING:
    import pandas as pd

LEAST_DRB = 0.9
FARTHEST_MPC_ARCSEC = 10.0
LEAST_LATITUDE_DEG = 10.0
FAINTEST_MAG = 21.0
LEAST_SPAN_DAYS = 0.5
LEAST_RATE = 0.3
"""Fading, in apparent magnitude [mag/d]."""
_POINTS = ("jd", "fid", "magpsf", "sigmapsf", "magnr", "sigmagnr")


def fading_rate(jd: np.ndarray, magnitude: np.ndarray, sigma: np.ndarray) -> float:
    """Return the slope of a weighted straight line [mag/d], 0 for less than two points within half a day.

    Parameters
    ----------
    jd : array of float
        Times [d], in order.
    magnitude, sigma : array of float
        Apparent magnitudes and their errors [mag].
    """
    if len(jd) < 2 or not jd[-1] - jd[0] > LEAST_SPAN_DAYS:
        return 0.0
    slope, _ = np.polyfit(jd - jd[0], magnitude, 1, w=1.0 / sigma)
    return float(slope)


def _is_candidate(
    cdsxmatch: pd.Series, is_sdss_star: pd.Series, sign: pd.Series, signs: pd.Series, *columns: pd.Series
) -> np.ndarray:
    jdstarthist, *single = columns[:6]
    points = columns[6:]
    ndethist, drb, classtar, ssdistnr, latitude = map(numbers, single)
    with np.errstate(invalid="ignore"):
        new = (age(points[0], jdstarthist) < KILONOVA_DAYS) & (ndethist < KILONOVA_DETECTIONS)
        far = (ssdistnr > FARTHEST_MPC_ARCSEC) | (ssdistnr < 0)
        wanted = is_real_and_pointlike(drb, classtar, LEAST_DRB) & new & far & (np.abs(latitude) > LEAST_LATITUDE_DEG)
    no_star = (is_sdss_star == False).to_numpy(dtype=bool, na_value=False)  # noqa: E712 - a null is no no
    wanted &= is_positive(sign) & no_star & is_possible_host(cdsxmatch)
    passes = np.zeros(len(wanted), dtype=bool)
    for row, curve in light_curve.curves(points, wanted):
        passes[row] = _rate(curve, light_curve.signs(sign, signs, row, len(curve[0]))) > LEAST_RATE
    return passes


def _rate(curve: light_curve.Curve, brighter: np.ndarray) -> float:
    jd, fid, magpsf, sigmapsf, magnr, sigmagnr = curve
    magnitude, sigma = apparent_magnitudes((magpsf, sigmapsf), (magnr, sigmagnr), brighter)
    with np.errstate(invalid="ignore"):
        used = (fid == fid[-1]) & (magnitude < FAINTEST_MAG) & (sigma > 0)
    return fading_rate(jd[used], magnitude[used], sigma[used])


FILTER = Filter(
    name="rate_based_kn_candidates",
    inputs=(
        "cdsxmatch",
        "is_sdss_star",
        "candidate.isdiffpos",
        "prv_candidates.isdiffpos",
        "candidate.jdstarthist",
        "candidate.ndethist",
        "candidate.drb",
        "candidate.classtar",
        "candidate.ssdistnr",
        "galactic_latitude",
        *light_curve.paths(*_POINTS),
    ),
    predicate=_is_candidate,
    description="Alerts less than 5 days after the first detection that fade by more than 0.3 mag a day",
    owner="fink",
    version="1",
)
