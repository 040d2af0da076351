"""``lc_features``: 26 numbers that describe the light curve of an alert in each of the bands g and r.

The features are those of Malanchev et al. 2021 (MNRAS 502, 5147; arXiv:2012.01419, appendix A), computed by their
authors' crate ``light-curve``. Here is only which points go in, which is Fink's choice (fink-science,
``ztf/ad_features``), and how numbers come out; what is made of the features is the affair of other modules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import light_curve as lc
import numpy as np
import pandas as pd

from fink_dagster.science.columns import history_lengths, is_positive, joined_histories, numbers
from fink_dagster.science.module import Module, Output

BANDS = {1: "g", 2: "r"}  # ZTF's numbers; upstream leaves i out (fink-science #393)
FARTHEST_SOURCE_PIXELS = 1.5  # upstream's; a pixel of ZTF is 1.01 arcsec
# 2.5 / ln 10 [mag] as upstream rounds it. It cancels but for the last bit, of which the crate's linear fit makes 1e-7
# in the slope, its times being 2.4e6 d.
POGSON = 1.0857
FIELDS = ("jd", "fid", "magpsf", "sigmapsf", "distnr", "magnr", "sigmagnr", "isdiffpos")  # as in Points
# Of the crate: class, upstream's parameters, names of what it gives.
EXTRACTORS: tuple[tuple[str, dict[str, float], tuple[str, ...]], ...] = (
    ("Mean", {}, ("mean",)),
    ("WeightedMean", {}, ("weighted_mean",)),
    ("StandardDeviation", {}, ("standard_deviation",)),
    ("Median", {}, ("median",)),
    ("Amplitude", {}, ("amplitude",)),
    ("BeyondNStd", {"nstd": 1}, ("beyond_1_std",)),
    ("Cusum", {}, ("cusum",)),
    ("InterPercentileRange", {"quantile": 0.1}, ("inter_percentile_range_10",)),
    ("Kurtosis", {}, ("kurtosis",)),
    ("LinearTrend", {}, ("linear_trend", "linear_trend_sigma", "linear_trend_noise")),
    ("LinearFit", {}, ("linear_fit_slope", "linear_fit_slope_sigma", "linear_fit_reduced_chi2")),
    (
        "MagnitudePercentageRatio",
        {"quantile_numerator": 0.4, "quantile_denominator": 0.05},
        ("magnitude_percentage_ratio_40_5",),
    ),
    (
        "MagnitudePercentageRatio",
        {"quantile_numerator": 0.2, "quantile_denominator": 0.1},
        ("magnitude_percentage_ratio_20_10",),
    ),
    ("MaximumSlope", {}, ("maximum_slope",)),
    ("MedianAbsoluteDeviation", {}, ("median_absolute_deviation",)),
    ("MedianBufferRangePercentage", {"quantile": 0.1}, ("median_buffer_range_percentage_10",)),
    ("PercentAmplitude", {}, ("percent_amplitude",)),
    ("MeanVariance", {}, ("mean_variance",)),
    ("AndersonDarlingNormal", {}, ("anderson_darling_normal",)),
    ("ReducedChi2", {}, ("chi2",)),
    ("Skew", {}, ("skew",)),
    ("StetsonK", {}, ("stetson_K",)),
)
FEATURES = tuple(name for _, _, names in EXTRACTORS for name in names)

Record = dict[str, float | None] | None


@dataclass(frozen=True)
class Points:
    """The light curves of many alerts as flat arrays, one value per point; NaN where there is none.

    Parameters
    ----------
    alert : array of int
        Position of the alert the point belongs to.
    jd : array of float
        Time [d, JD UTC].
    band : array of float
        Number of the band.
    magnitude, sigma : array of float
        Of the difference image, and its error [mag]; NaN for an upper limit.
    distance : array of float
        Distance to the nearest source of the reference image [pixel].
    reference, reference_sigma : array of float
        Magnitude of that source and its error [mag]; negative where there is none.
    brighter : array of bool
        Whether the difference adds to the reference, else it is taken from it.
    """

    alert: np.ndarray
    jd: np.ndarray
    band: np.ndarray
    magnitude: np.ndarray
    sigma: np.ndarray
    distance: np.ndarray
    reference: np.ndarray
    reference_sigma: np.ndarray
    brighter: np.ndarray

    def at(self, which: np.ndarray) -> Points:
        """Return some of the points, by mask or by position."""
        return Points(**{name: values[which] for name, values in vars(self).items()})


def lc_features(points: Points, number: int) -> dict[int, list[Record]]:
    """Describe the light curves of alerts, band by band.

    Magnitudes are those of the difference image, unless a source of the reference image lies under one measured point
    of the alert, in whatever band: then all its points are turned into apparent magnitudes, and those without one are
    left out. No point is refused for its quality.

    Where two points of a band have the same time upstream gives nothing, for the crate refuses them, and so it is
    here; bright stars are found twice in an exposure. Upstream also gives up a band for one infinite magnitude, as
    when the difference takes away all of the reference; here that point alone is left out.

    Parameters
    ----------
    points : Points
        Of all alerts, in any order.
    number : int
        How many alerts there are.

    Returns
    -------
    dict of int to list
        For each of ``BANDS`` a record of ``FEATURES`` per alert; None where the band does not occur or holds a time
        twice. A feature that is not defined, as most are for less than three points, is None; so are all of them
        where the band has upper limits only. Magnitudes in mag, slopes in mag/d.
    """
    curves = _by_curve(_apparent(points.at(_is_measured(points))))
    starts = _starts(curves)
    keys = zip(curves.alert[starts].tolist(), curves.band[starts].tolist(), strict=True)
    described = dict(zip(keys, _described(curves, starts), strict=True))
    columns: dict[int, list[Record]] = {}
    for band in BANDS:
        column = columns[band] = [None] * number
        for alert in np.unique(points.alert[points.band == band]).tolist():
            column[alert] = described.get((alert, band), dict.fromkeys(FEATURES))
    return columns


def _is_measured(points: Points) -> np.ndarray:
    measured: np.ndarray = np.isfinite(points.magnitude) & np.isfinite(points.sigma) & np.isfinite(points.jd)
    return measured


def _apparent(points: Points) -> Points:
    """Return the points with apparent magnitudes where their alert lies on a source, without those that have none."""
    near = (points.distance >= 0) & (points.distance <= FARTHEST_SOURCE_PIXELS)
    over = np.isin(points.alert, points.alert[near])
    magnitude, sigma = points.magnitude.copy(), points.sigma.copy()
    some = points.at(over)
    reference = some.reference, some.reference_sigma
    magnitude[over], sigma[over] = apparent_magnitudes((some.magnitude, some.sigma), reference, some.brighter)
    return replace(points, magnitude=magnitude, sigma=sigma).at(np.isfinite(magnitude) & np.isfinite(sigma))


def apparent_magnitudes(
    difference: tuple[np.ndarray, np.ndarray], reference: tuple[np.ndarray, np.ndarray], brighter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add difference and reference as fluxes (ZTF Science Data System Explanatory Supplement).

    Parameters
    ----------
    difference, reference : tuple of array of float
        Magnitudes and their errors [mag]; a negative magnitude of the reference is none.
    brighter : array of bool
        Whether the difference adds to the reference, else it is taken from it.

    Returns
    -------
    tuple of array of float
        Apparent magnitudes and their errors [mag]; NaN where there is none.
    """
    (magnitude, sigma), (reference_magnitude, reference_sigma) = difference, reference
    with np.errstate(all="ignore"):
        change = 10 ** (-0.4 * magnitude)
        before = 10 ** (-0.4 * np.where(reference_magnitude < 0, np.nan, reference_magnitude))
        flux = np.where(brighter, before + change, before - change)
        error, reference_error = sigma / POGSON * change, reference_sigma / POGSON * before
        # As upstream writes it: in the last bit np.hypot differs, and a slope near zero by a hundred thousandth then.
        return -2.5 * np.log10(flux), np.sqrt(error**2 + reference_error**2) / flux * POGSON


def _by_curve(points: Points) -> Points:
    """Return the points of known bands, curve after curve, each in time."""
    points = points.at(np.isin(points.band, list(BANDS)))
    return points.at(np.lexsort((points.jd, points.band, points.alert)))


def _starts(curves: Points) -> np.ndarray:
    """Return where each curve begins."""
    begins = np.ones(len(curves.alert), dtype=bool)
    begins[1:] = (np.diff(curves.alert) != 0) | (np.diff(curves.band) != 0)
    starts: np.ndarray = np.flatnonzero(begins)
    return starts


def _described(curves: Points, starts: np.ndarray) -> list[Record]:
    """Return the features of each curve, None for one that holds a time twice."""
    records: list[Record] = [None] * len(starts)
    good = [position for position, twice in enumerate(_is_twice(curves.jd, starts)) if not twice]
    if not good:
        return records
    ends = [*starts[1:].tolist(), len(curves.jd)]
    cuts = [slice(int(starts[position]), ends[position]) for position in good]
    triples = [(curves.jd[cut], curves.magnitude[cut], curves.sigma[cut]) for cut in cuts]
    # One thread: Spark gives each worker one core.
    values = _extractor().many(triples, sorted=True, check=False, fill_value=np.nan, n_jobs=1)
    cells = values.astype(object)
    cells[~np.isfinite(values)] = None
    for position, row in zip(good, cells.tolist(), strict=True):
        records[position] = dict(zip(FEATURES, row, strict=True))
    return records


def _is_twice(jd: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return which curves hold a time twice."""
    again = np.zeros(len(jd), dtype=bool)
    again[1:] = np.diff(jd) == 0
    again[starts] = False
    twice: np.ndarray = np.logical_or.reduceat(again, starts) if len(starts) else again
    return twice


@cache
def _extractor() -> Any:
    """Return the 22 extractors as one, whose values come in the order of ``FEATURES``."""
    return lc.Extractor(*(getattr(lc, kind)(**parameters) for kind, parameters, _ in EXTRACTORS))


def _columns(*columns: pd.Series) -> pd.DataFrame:
    *now, now_sign = columns[: len(FIELDS)]
    *before, before_sign = columns[len(FIELDS) :]
    lengths = history_lengths([*before, before_sign])
    alert = np.arange(len(lengths))
    pairs = [
        (np.repeat(alert, lengths), alert),
        *((joined_histories(many, lengths), numbers(one)) for many, one in zip(before, now, strict=True)),
        (is_positive(joined_histories(before_sign, lengths, object)), is_positive(now_sign)),
    ]
    described = lc_features(Points(*map(np.concatenate, pairs)), len(lengths))
    records = {band: pd.Series(column, dtype=object) for band, column in described.items()}
    return pd.DataFrame({f"lc_features_{name}": records[band] for band, name in BANDS.items()})


MODULE = Module(
    name="lc_features",
    version="1",
    inputs=(*(f"candidate.{field}" for field in FIELDS), *(f"prv_candidates.{field}" for field in FIELDS)),
    outputs=tuple(
        Output(f"lc_features_{name}", "", "", f"Features of the light curve in {name}, history and alert", FEATURES)
        for name in BANDS.values()
    ),
    function=_columns,
)
