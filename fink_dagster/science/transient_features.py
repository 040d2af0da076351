"""``is_transient`` and the seven marks it is made of: whether an alert looks like an extragalactic transient.

Cuts of the Bright Transient Survey (Perley et al. 2020, ApJ 904, 35; Fremling et al. 2020, ApJ 895, 32) as Fink has
them (fink-science ``ztf/transient_features``, fink-filters ``filter_transient_complete``), from the packet alone. No
catalogue is asked and no light curve fitted here.

A comparison with a null or a NaN is false, so every mark is true or false. Upstream's comparisons are Spark's: a null
can make the mark null, and its filter then refuses the alert: none is a transient before schema 3.3, which brought
``drb``. Spark takes a NaN for the largest number; here it is no value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.columns import POSITIVE, history_lengths, is_positive, joined_histories, numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNS = (*POSITIVE, "true")  # upstream's, of this module alone
OLD_DAYS = 90.0  # longer than most supernovae stay bright
SAME_NIGHT_DAYS = 0.75
FAINT_MAG, FAINT_SAME_NIGHT_MAG = 19.8, 19.0
APART_DAYS = 0.02  # half an hour, in which an asteroid leaves the place

NEVER_REAL_RB, NEVER_REAL_DRB = 0.2, 0.8
MAYBE_STAR_SCORE = 0.49
# Not real with rb under the first number, a Gaia source within [arcsec], brighter than [mag].
NOT_REAL_GAIA = ((0.35, 1.0, 17.0), (0.45, 1.5, 15.5))
# Not real with rb under the first, a Pan-STARRS star within [arcsec], brighter than [mag] in r or i or [mag] in z.
NOT_REAL_STAR = ((0.35, 1.0, 17.0, 16.5), (0.45, 1.5, 15.5, 15.0))
# Not real when old, with drb under the first, a Pan-STARRS source within [arcsec], brighter than [mag].
NOT_REAL_OLD = ((0.9, 3.0, 16.0), (0.9, 1.1, 18.0), (0.95, 1.5, 15.5), (0.95, 0.8, 17.5))

STAR_SCORE, STAR_ARCSEC = 0.76, 2.5
RED_SCORE, RED_ARCSEC, RED_MAG = 0.2, 1.0, 3.0  # M dwarfs, which the star/galaxy score knows badly
BRIGHT_GAIA_ARCSEC, BRIGHT_GAIA_MAG = 20.0, 12.0
BRIGHT_SCORE, BRIGHT_MAG = 0.9, 14.0

MOST_DETECTIONS = 200
PASS_DAYS = 30.0  # how far back a packet's history reaches
AT_PEAK_MAG = 18.5
# A reference source within [px], brighter than [mag].
VARIABLE_REFERENCE = ((0.4, 19.5), (0.8, 17.5), (1.2, 15.5))


@dataclass(frozen=True)
class Candidates:
    """Fields of ``candidate``, named and in the units as in the packet; float64, null as NaN, -999 where none.

    ``isdiffpos`` is bool: whether the source is known to be brighter than the reference. ``distnr`` is in pixels.
    """

    jd: np.ndarray
    jdstarthist: np.ndarray
    fid: np.ndarray
    magpsf: np.ndarray
    isdiffpos: np.ndarray
    rb: np.ndarray
    drb: np.ndarray
    ndethist: np.ndarray
    distnr: np.ndarray
    magnr: np.ndarray
    neargaia: np.ndarray
    maggaia: np.ndarray
    neargaiabright: np.ndarray
    maggaiabright: np.ndarray
    sgscore1: np.ndarray
    sgscore2: np.ndarray
    sgscore3: np.ndarray
    distpsnr1: np.ndarray
    distpsnr2: np.ndarray
    distpsnr3: np.ndarray
    srmag1: np.ndarray
    srmag2: np.ndarray
    srmag3: np.ndarray
    sgmag1: np.ndarray
    simag1: np.ndarray
    szmag1: np.ndarray

    @property
    def age(self) -> np.ndarray:
        """Time since the first detection at the place [d]."""
        return self.jd - self.jdstarthist


@dataclass(frozen=True)
class History:
    """Points of all histories one after another, fields as in :class:`Candidates`.

    ``alert`` is the position of the alert a point belongs to.
    """

    alert: np.ndarray
    jd: np.ndarray
    fid: np.ndarray
    magpsf: np.ndarray
    isdiffpos: np.ndarray


def faint(now: Candidates, history: History) -> np.ndarray:
    """Tell whether a source is fainter than 19.8 mag, or a point of its same night is fainter than 19.

    Upstream asks for the alert's sign where it means that of the point, so points of either sign count for a positive
    alert and none for a negative one; the code is followed. Without a magnitude, or without history, that part is
    false.
    """
    recent = np.abs(now.jd[history.alert] - history.jd) < SAME_NIGHT_DAYS
    before = _count(now, history, recent & (history.magpsf >= FAINT_SAME_NIGHT_MAG)) > 0
    marks: np.ndarray = (now.magpsf >= FAINT_MAG) | (now.isdiffpos & before)
    return marks


def real(now: Candidates) -> np.ndarray:
    """Tell whether nothing speaks for an artefact: neither score too low, alone or beside a bright source.

    Without ``rb`` only ``drb`` can speak for an artefact, without ``drb`` only ``rb``, without both nothing: true.
    """
    gaia = [(now.rb < rb) & _under(now.neargaia, near) & _under(now.maggaia, mag) for rb, near, mag in NOT_REAL_GAIA]
    star = [
        (now.rb < rb)
        & _under(now.distpsnr1, near)
        & (now.sgscore1 > MAYBE_STAR_SCORE)
        & (_under(now.srmag1, mag) | _under(now.simag1, mag) | _under(now.szmag1, mag_z))
        for rb, near, mag, mag_z in NOT_REAL_STAR
    ]
    source = _magnitude(now)
    old = [
        (now.drb < drb) & _under(now.distpsnr1, near) & (source < mag) & (now.age > OLD_DAYS)
        for drb, near, mag in NOT_REAL_OLD
    ]
    return ~_any([now.rb <= NEVER_REAL_RB, now.drb < NEVER_REAL_DRB, *gaia, *star, *old])


def pointunderneath(now: Candidates) -> np.ndarray:
    """Tell whether a source sits on a Pan-STARRS star, or on something as red as one; false without its score."""
    star = (now.sgscore1 > STAR_SCORE) & _under(now.distpsnr1, STAR_ARCSEC)
    red = _any([(mag > 0) & (now.srmag1 - mag > RED_MAG) for mag in (now.simag1, now.szmag1)]) & (now.srmag1 > 0)
    return star | ((now.sgscore1 > RED_SCORE) & _under(now.distpsnr1, RED_ARCSEC) & red)


def brightstar(now: Candidates) -> np.ndarray:
    """Tell whether light of a bright star near by may be in the aperture; a neighbour without its fields is none."""
    neighbours = (
        (now.distpsnr1, 20.0, now.srmag1, now.sgscore1),
        (now.distpsnr2, 20.0, now.srmag2, now.sgscore2),
        (now.distpsnr3, 20.0, now.srmag3, now.sgscore3),
        (now.distpsnr1, 20.0, now.simag1, now.sgscore1),
        (now.distpsnr1, 10.0, now.szmag1, now.sgscore1),
    )
    stars = [_under(d, near) & _under(mag, BRIGHT_MAG) & (score > BRIGHT_SCORE) for d, near, mag, score in neighbours]
    gaia = _under(now.neargaiabright, BRIGHT_GAIA_ARCSEC) & _under(now.maggaiabright, BRIGHT_GAIA_MAG)
    return _any([gaia, *stars])


def variablesource(now: Candidates, history: History) -> np.ndarray:
    """Tell whether a source is likely a variable star or an active nucleus; without ``jdstarthist`` it is not old."""
    peak = _peak(now, history)
    gaia = [
        _on_gaia(now, 0.35, 17.0, 30.0),
        _on_gaia(now, 0.35, 19.0, 300.0) & (now.magpsf > 18.5),
        _on_gaia(now, 0.2, 18.0, 90.0),
    ]
    old, brightest = now.age > OLD_DAYS, _brightest(now)
    bright = old & (now.sgscore1 > 0.25) & _under(now.distpsnr1, 3.0) & (brightest < 16.0)
    unsure = old & (now.sgscore1 == 0.5) & _under(now.distpsnr1, 0.5) & (brightest < 17.0)
    fading = old & _between(now.magnr, now.magpsf - 1.0) & _under(now.distnr, 0.5) & (now.magpsf > peak)
    return _any([_keeps_varying(now, history, peak), *gaia, bright, unsure, fading, now.ndethist > MOST_DETECTIONS])


def stationary(now: Candidates, history: History) -> np.ndarray:
    """Tell whether the place was seen brighter than the reference half an hour before; false without history."""
    apart = np.abs(now.jd[history.alert] - history.jd) > APART_DAYS
    return _count(now, history, apart & (history.magpsf < 99.0) & history.isdiffpos) > 0


def transient_features(now: Candidates, history: History, roid: np.ndarray) -> dict[str, np.ndarray]:
    """Return the seven marks and ``is_transient``, one bool per alert; with ``roid`` null an alert is no transient."""
    with np.errstate(invalid="ignore"):
        marks = {
            "faint": faint(now, history),
            "positivesubtraction": now.isdiffpos,
            "real": real(now),
            "pointunderneath": pointunderneath(now),
            "brightstar": brightstar(now),
            "variablesource": variablesource(now, history),
            "stationary": stationary(now, history),
        }
    for_it = marks["positivesubtraction"] & marks["real"] & marks["stationary"] & (roid == 0)
    against = _any([marks[name] for name in ("faint", "pointunderneath", "brightstar", "variablesource")])
    return marks | {"is_transient": for_it & ~against}


def _on_gaia(now: Candidates, near: float, mag: float, age: float) -> np.ndarray:
    """Return where an alert older than [d] sits on a Gaia source within [arcsec] and brighter than [mag]."""
    return _between(now.neargaia, near) & _between(now.maggaia, mag) & (now.age > age)


def _keeps_varying(now: Candidates, history: History, peak: np.ndarray) -> np.ndarray:
    """Return where an old source on a bright reference was bright before, and is at no bright peak now."""
    enough = np.where(now.age > 360.0, 1, 2)
    at_peak = (now.magpsf <= peak) & (now.magpsf < AT_PEAK_MAG)
    on_reference = _any([_under(now.distnr, near) & _between(now.magnr, mag) for near, mag in VARIABLE_REFERENCE])
    old = (now.age > OLD_DAYS) & (now.ndethist > 30)
    before = now.jd[history.alert] - history.jd
    passes = (before < PASS_DAYS) & (before > SAME_NIGHT_DAYS) & history.isdiffpos & _between(history.magpsf, FAINT_MAG)
    return old & (_count(now, history, passes) >= enough) & ~at_peak & on_reference


def _peak(now: Candidates, history: History) -> np.ndarray:
    """Return the brightest magnitude in the alert's band, history included, whatever its sign."""
    peak: np.ndarray = now.magpsf.copy()
    same_band = history.fid == now.fid[history.alert]
    np.fmin.at(peak, history.alert[same_band], history.magpsf[same_band])
    return peak


def _magnitude(now: Candidates) -> np.ndarray:
    """Return the magnitude of the nearest Pan-STARRS source in the first of r, i, g that has one, else 99."""
    magnitudes = (now.srmag1, now.simag1, now.sgmag1)
    return np.select([_between(mag, 30.0) for mag in magnitudes], magnitudes, default=99.0)


def _brightest(now: Candidates) -> np.ndarray:
    """Return the brightest magnitude of the nearest Pan-STARRS source, 99 where it has none."""
    magnitudes = (now.srmag1, now.simag1, now.sgmag1, now.szmag1)
    return np.min([np.where(mag > 0, mag, 99.0) for mag in magnitudes], axis=0)


def _under(values: np.ndarray, limit: float) -> np.ndarray:
    """Return where a distance or magnitude is under a limit; -999, which says there is none, never is."""
    marks: np.ndarray = np.abs(values) < limit
    return marks


def _between(values: np.ndarray, limit: float | np.ndarray) -> np.ndarray:
    marks: np.ndarray = (values > 0) & (values < limit)
    return marks


def _any(marks: Sequence[np.ndarray]) -> np.ndarray:
    return np.logical_or.reduce(marks)


def _count(now: Candidates, history: History, holds: np.ndarray) -> np.ndarray:
    """Return, for each alert, how many points of its history something holds for."""
    return np.bincount(history.alert[holds], minlength=len(now.jd))


def _columns(*columns: pd.Series) -> pd.DataFrame:
    given = dict(zip((*MODULE.inputs, *MODULE.optional), columns, strict=True))
    now = {name: given[f"candidate.{name}"] for name in _CANDIDATE}
    points = {name: given[f"prv_candidates.{name}"] for name in _HISTORY}
    candidates = Candidates(
        **{name: is_positive(x, _SIGNS) if name == "isdiffpos" else numbers(x) for name, x in now.items()}
    )
    return pd.DataFrame(transient_features(candidates, _history(points), numbers(given["roid"])))


def _history(columns: dict[str, pd.Series]) -> History:
    lengths = history_lengths(columns.values())
    positive = is_positive(joined_histories(columns.pop("isdiffpos"), lengths, object), _SIGNS)
    flat = {name: joined_histories(column, lengths) for name, column in columns.items()}
    return History(np.repeat(np.arange(len(lengths)), lengths), isdiffpos=positive, **flat)


_CANDIDATE = tuple(field.name for field in fields(Candidates))
_HISTORY = tuple(field.name for field in fields(History) if field.name != "alert")
MODULE = Module(
    name="transient_features",
    version="1",
    inputs=(
        *(f"candidate.{name}" for name in _CANDIDATE if name != "drb"),
        *(f"prv_candidates.{name}" for name in _HISTORY),
        "roid",
    ),
    optional=("candidate.drb",),
    outputs=(
        Output("faint", "boolean", "", "Fainter than 19.8 mag, or than 19 in the same night"),
        Output("positivesubtraction", "boolean", "", "Brighter than the reference image"),
        Output("real", "boolean", "", "Nothing speaks for an artefact"),
        Output("pointunderneath", "boolean", "", "On a star of Pan-STARRS, or something as red as one"),
        Output("brightstar", "boolean", "", "A bright star is so near that its light may be in the aperture"),
        Output("variablesource", "boolean", "", "Likely a variable star or an active nucleus"),
        Output("stationary", "boolean", "", "Seen brighter than the reference at this place half an hour before"),
        Output("is_transient", "boolean", "", "Likely an extragalactic transient, by the seven marks and roid"),
    ),
    function=_columns,
)
