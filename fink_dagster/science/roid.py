"""``roid``: whether an alert looks like an asteroid, from the packet alone.

The rule is Fink's (fink-science, ``ztf/asteroids``), step by step and in its order. Upstream's text speaks of 1 arcsec
to the Pan-STARRS source where its code has 5; the code is followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.science.columns import arrays, numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    import pandas as pd

UNLIKELY, NEW, CANDIDATE, KNOWN = 0, 1, 2, 3
STAR_SCORE = np.float32(0.76)  # as float32, which the field is: upstream compares it so
PAN_STARRS_RADIUS_ARCSEC = 5.0
MPC_RADIUS_ARCSEC = 5.0
MOST_DETECTIONS = 5
LONGEST_PAIR_DAYS = 30.0 / (24.0 * 60.0)


@dataclass(frozen=True)
class RoidInputs:
    """What the rule looks at, one value per alert; NaN where there is none.

    Parameters
    ----------
    ndethist : array of float
        Detections at the place, since the beginning of the survey.
    nalerthist : array of float
        Measured magnitudes in the history and the alert.
    sgscore1 : array of float
        Star/galaxy score of the nearest Pan-STARRS source, 1 for a star.
    distpsnr1 : array of float
        Distance to that source [arcsec]; -999 where there is none.
    ssdistnr : array of float
        Distance to the nearest known Solar-System object [arcsec]; -999 where there is none.
    jd : array of float
        Time of the alert [d, JD UTC].
    previous_jd : array of float
        Time of the last history point, a detection or an upper limit [d, JD UTC]; NaN without history.
    """

    ndethist: np.ndarray
    nalerthist: np.ndarray
    sgscore1: np.ndarray
    distpsnr1: np.ndarray
    ssdistnr: np.ndarray
    jd: np.ndarray
    previous_jd: np.ndarray


def roid(inputs: RoidInputs) -> np.ndarray:
    """Tell how much each alert looks like an asteroid; each step overwrites those before it.

    A comparison with a null or a NaN is false, so a step whose input is absent changes nothing: without ``ndethist``
    no step but 3 and 4 can apply, without ``sgscore1`` step 2, without ``distpsnr1`` steps 3 and 6, without either
    epoch step 4, without ``ssdistnr`` step 6 cannot.

    Returns
    -------
    array of int32
        0 unlikely, 1 first detection, 2 candidate by Fink's criteria, 3 known to the Minor Planet Center.
    """
    x = inputs
    flags = np.full(len(x.ndethist), UNLIKELY, dtype=np.int32)
    with np.errstate(invalid="ignore"):
        flags[x.ndethist == 1] = NEW
        flags[(x.sgscore1.astype(np.float32) < STAR_SCORE) & (x.ndethist <= 2)] = CANDIDATE
        flags[(x.distpsnr1 > 0) & (x.distpsnr1 < PAN_STARRS_RADIUS_ARCSEC)] = UNLIKELY
        flags[(x.nalerthist == 2) & (x.jd - x.previous_jd > LONGEST_PAIR_DAYS)] = UNLIKELY
        flags[(x.ndethist == 2) & (x.nalerthist == 1)] = UNLIKELY
        flags[_known(x)] = KNOWN
    return flags


def _known(x: RoidInputs) -> np.ndarray:
    near = (x.ssdistnr >= 0) & (x.ssdistnr < MPC_RADIUS_ARCSEC) & (np.abs(x.distpsnr1) > x.ssdistnr)
    known: np.ndarray = near & (x.ndethist <= MOST_DETECTIONS) & (x.nalerthist <= MOST_DETECTIONS)
    return known


def _columns(*columns: pd.Series) -> np.ndarray:
    *single, history_jd = columns
    previous = [history[-1] if len(history) else np.nan for history in arrays(history_jd)]
    return roid(RoidInputs(*[*map(numbers, single), np.asarray(previous, dtype=np.float64)]))


MODULE = Module(
    name="roid",
    version="1",
    inputs=(
        "candidate.ndethist",
        "nalerthist",
        "candidate.sgscore1",
        "candidate.distpsnr1",
        "candidate.ssdistnr",
        "candidate.jd",
        "prv_candidates.jd",
    ),
    outputs=(
        Output("roid", "int", "", "Asteroid flag: 0 unlikely, 1 first detection, 2 Fink candidate, 3 known to the MPC"),
    ),
    function=_columns,
)
