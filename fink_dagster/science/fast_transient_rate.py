"""``fast_transient_rate``: how fast an object brightens or fades, from the alert and the last point in its band.

The rule is Fink's (fink-science, ``ztf/fast_transient_rate``): the magnitude difference over the time between the two,
with an error by Monte Carlo in flux. A last point that is an upper limit stands for a flux anywhere below it. A point
in i on the way back ends the search, and the sign of a subtraction is not looked at; both are followed.

Not followed is what is wrong upstream. It draws without a seed, so that no value can be had again; here the seed is
the alert's own identity. It shifts the draws of a whole batch by the lowest among them, even where all are positive,
so that a value depends on which alerts came together; here an alert's draws are shifted when its own lowest is
negative. The draw that the shift puts to zero it makes 2e-16, 40 magnitudes or more below its neighbours, which alone
adds some 0.5 mag in quadrature to the error; here it becomes the next lowest. A limit of -1000 mag, which ZTF has
sent, and an alert without any magnitude make it raise, batch and all; here they give nulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.columns import history_lengths, joined_histories, numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas.arrays import FloatingArray

DRAWS = 10_000  # as in Fink's processing of ZTF
MAGNITUDES_PER_LOG = 2.5 / np.log(10.0)
LOWER, UPPER = 0.05, 0.95
LEAST = 0.0  # errors and magnitudes below it are none; the survey's limits go down to -1000
REDDEST_BAND = 2  # r; Fink takes no rate across a point in i
SEED_BITS = 2**64 - 1  # numpy seeds must not be negative
RATES = ("mag_rate", "sigma_rate", "lower_rate", "upper_rate", "delta_time", "from_upper")


@dataclass(frozen=True)
class Point:
    """One point of a light curve.

    Parameters
    ----------
    jd : float
        Time [d, JD UTC].
    magnitude, error : float
        Of the difference image [mag]; NaN for an upper limit.
    limit : float
        Magnitude of the faintest source that would have been seen [mag].
    """

    jd: float
    magnitude: float
    error: float
    limit: float = np.nan


@dataclass(frozen=True)
class History:
    """The points before an alert, in the order of the packet, one array item each; see :class:`Point`.

    Parameters
    ----------
    band : array of float
        1 for g, 2 for r, 3 for i.
    """

    jd: np.ndarray
    band: np.ndarray
    magnitude: np.ndarray
    error: np.ndarray
    limit: np.ndarray


@dataclass(frozen=True)
class Rate:
    """Change of magnitude with time, positive when fading.

    Parameters
    ----------
    mag_rate, sigma_rate : float
        Mean and standard deviation of the draws [mag/d].
    lower_rate, upper_rate : float
        Their 5th and 95th percentile [mag/d].
    delta_time : float
        Between the two points [d].
    from_upper : bool
        Whether the earlier one is an upper limit.
    """

    mag_rate: float
    sigma_rate: float
    lower_rate: float
    upper_rate: float
    delta_time: float
    from_upper: bool


def first_detection(now: Point, history: History) -> float:
    """Return when the object was first measured, as far as the packet goes back [d, JD UTC]; NaN if never."""
    seen = np.flatnonzero(~np.isnan(history.magnitude))
    if len(seen):
        return float(history.jd[seen[0]])
    return now.jd if not np.isnan(now.magnitude) else np.nan


def last_point(history: History, band: float) -> Point | None:
    """Return the last point in a band; None when there is none, or one in i comes after it."""
    candidates = np.flatnonzero((history.band == band) | (history.band > REDDEST_BAND))
    if not len(candidates) or history.band[candidates[-1]] > REDDEST_BAND:
        return None
    at = candidates[-1]
    return Point(*(float(values[at]) for values in (history.jd, history.magnitude, history.error, history.limit)))


def magnitude_rate(now: Point, before: Point, seed: int) -> Rate | None:
    """Return the rate between two points; None when one of them is not defined, or they are not in order of time.

    Parameters
    ----------
    now : Point
        A detection.
    before : Point
        A detection or an upper limit; the flux behind a limit is uniform between zero and the limit.
    seed : int
        The same seed gives the same rate, up to the rounding of the processor's logarithm.
    """
    delta_time = now.jd - before.jd
    from_upper = bool(np.isnan(before.magnitude))
    reference = before.limit if from_upper else before.magnitude
    errors = (now.error,) if from_upper else (now.error, before.error)
    values = (now.magnitude, reference, *errors, delta_time)
    if not (np.isfinite(values).all() and min(values) >= LEAST and delta_time > 0):
        return None
    mean, deviation, lower, upper = _statistics(_log_ratios(errors, seed))
    changes = now.magnitude - reference - MAGNITUDES_PER_LOG * np.array([mean, upper, lower])
    sigma = MAGNITUDES_PER_LOG * deviation / delta_time
    rate, lower_rate, upper_rate = (changes / delta_time).tolist()
    if not np.isfinite([rate, sigma, lower_rate, upper_rate]).all():
        return None
    return Rate(rate, sigma, lower_rate, upper_rate, delta_time, from_upper)


def _log_ratios(errors: Sequence[float], seed: int) -> np.ndarray:
    """Draw the logarithm of the ratio of fluxes, each in units of its own magnitude or limit.

    Without an error of the earlier one it is an upper limit.
    """
    now, *before = errors
    squares, turns, *limits = _uniform(2 if before else 3, seed)
    # Box and Muller's pair of Gaussian variates costs a third of two draws from numpy.
    radii = np.sqrt(np.float32(-2.0) * np.log(squares))
    angles = np.float32(2.0 * np.pi) * turns
    ratios = np.log(_fluxes(radii * np.cos(angles), now))
    ratios -= np.log(_fluxes(radii * np.sin(angles), before[0]) if before else limits[0])
    return ratios


def _uniform(number: int, seed: int) -> np.ndarray:
    """Draw uniform variates above zero and up to one, so that they have a logarithm, in rows of ``DRAWS``.

    Seven digits are enough beside a Monte Carlo error of a hundredth.
    """
    words = np.random.SFC64(seed & SEED_BITS).random_raw(number * DRAWS // 2)
    variates = np.abs(words.view(np.int32).astype(np.float32))
    np.maximum(variates, np.float32(1.0), out=variates)
    variates *= np.float32(2.0**-31)
    return variates.reshape(number, DRAWS)


def _fluxes(gaussian: np.ndarray, error: float) -> np.ndarray:
    """Return fluxes of a detection drawn with its error [mag], in units of its own and all positive."""
    fluxes: np.ndarray = gaussian * np.float32(error / MAGNITUDES_PER_LOG) + np.float32(1.0)
    if fluxes.min() <= 0.0:
        lowest, next_lowest = np.partition(fluxes, 1)[:2]
        fluxes -= lowest
        fluxes[fluxes == 0.0] = next_lowest - lowest
    return fluxes


def _statistics(values: np.ndarray) -> tuple[float, float, float, float]:
    """Return mean, standard deviation and both percentiles, these interpolated linearly."""
    # numpy's own percentiles select four ranks, which takes five times as long as its sort of single precision.
    ranks = np.array([LOWER, UPPER]) * (len(values) - 1)
    lower, upper = np.interp(ranks, np.arange(len(values)), np.sort(values))
    wide = values.astype(np.float64)
    mean = wide.mean()
    wide -= mean
    return float(mean), float(np.sqrt(np.square(wide).mean())), float(lower), float(upper)


def _columns(candid: pd.Series, *columns: pd.Series) -> pd.DataFrame:
    jd, jdstarthist, band, magnitude, error = map(numbers, columns[:5])
    nows = [Point(*values) for values in zip(jd.tolist(), magnitude.tolist(), error.tolist(), strict=True)]
    histories = _histories(columns[5:])
    first = np.array([first_detection(*each) for each in zip(nows, histories, strict=True)], dtype=np.float64)
    befores = [last_point(*each) for each in zip(histories, band.tolist(), strict=True)]
    with np.errstate(all="ignore"):
        rates = [_rate(*each) for each in zip(nows, befores, candid, strict=True)]
    times = {"jd_first_real_det": first, "jdstarthist_dt": first - jdstarthist}
    return pd.DataFrame({**{name: _nullable(values) for name, values in times.items()}, **_unpacked(rates)})


def _histories(columns: Sequence[pd.Series]) -> list[History]:
    lengths = history_lengths(columns)
    fields = [joined_histories(column, lengths) for column in columns]
    ends = np.cumsum(lengths).tolist()
    return [History(*(field[begin:end] for field in fields)) for begin, end in pairwise([0, *ends])]


def _rate(now: Point, before: Point | None, candid: int) -> Rate | None:
    if before is None or pd.isna(candid):
        return None
    return magnitude_rate(now, before, int(candid))


def _unpacked(rates: Sequence[Rate | None]) -> dict[str, FloatingArray | np.ndarray]:
    absent = Rate(np.nan, np.nan, np.nan, np.nan, np.nan, from_upper=False)
    columns = {name: np.array([getattr(rate or absent, name) for rate in rates]) for name in RATES}
    from_upper = columns.pop("from_upper").astype(bool)
    doubles = {name: _nullable(values.astype(np.float64)) for name, values in columns.items()}
    return {**doubles, "from_upper": from_upper}


def _nullable(values: np.ndarray) -> FloatingArray:
    return pd.arrays.FloatingArray(values, ~np.isfinite(values))


MODULE = Module(
    name="fast_transient_rate",
    version="1",
    inputs=(
        "candid",
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.fid",
        "candidate.magpsf",
        "candidate.sigmapsf",
        "prv_candidates.jd",
        "prv_candidates.fid",
        "prv_candidates.magpsf",
        "prv_candidates.sigmapsf",
        "prv_candidates.diffmaglim",
    ),
    outputs=(
        Output("jd_first_real_det", "double", "d", "First measured magnitude in the history or the alert, JD UTC"),
        Output("jdstarthist_dt", "double", "d", "That time minus jdstarthist, the survey's first detection"),
        Output("mag_rate", "double", "mag/d", "Change of magnitude since the last point in the band, up when fading"),
        Output("sigma_rate", "double", "mag/d", "Standard deviation of mag_rate"),
        Output("lower_rate", "double", "mag/d", "5th percentile of mag_rate"),
        Output("upper_rate", "double", "mag/d", "95th percentile of mag_rate"),
        Output("delta_time", "double", "d", "Time between the two points of mag_rate"),
        Output("from_upper", "boolean", "", "Whether the earlier of the two is an upper limit; false without a rate"),
    ),
    function=_columns,
)
