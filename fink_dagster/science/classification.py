"""``finkclass``: one word on what an alert is, from what the other modules and classifiers say of it.

The rule is Fink's (fink-filters, ``ztf/classification.py``), step by step and in its order, with the predicates of its
supernova and kilonova filters. Scores of trained classifiers are taken where they are there; without them their steps
cannot apply. Upstream takes a failed search in SIMBAD for a possible host; here one that did not take place is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science import roid
from fink_dagster.science.columns import numbers
from fink_dagster.science.module import Module, Output
from fink_dagster.science.simbad import UNKNOWN, is_label, may_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]

AMBIGUOUS = "Ambiguous"
LEAST_SCORE = 0.5
"""Of every classifier, and of ZTF's deep-learning real/bogus score."""
LEAST_CLASSTAR = 0.4
SUPERNOVA_DAYS, KILONOVA_DAYS = 90.0, 5.0
EARLY_DETECTIONS, KILONOVA_DETECTIONS = 20, 20
TRACKLET = "TRCK"


@dataclass(frozen=True)
class Scores:
    """What classifiers and the survey say, one value per alert; NaN where nobody did.

    Parameters
    ----------
    age : array of float
        Time since the object's first detection [d].
    ndethist : array of float
        Detections at the place, since the beginning of the survey.
    drb : array of float
        Deep-learning real/bogus score, 1 for real.
    classtar : array of float
        SExtractor's star/galaxy score, 1 for a star.
    roid : array of float
        Solar-System flag, as :func:`fink_dagster.science.roid.roid` returns it.
    snn_snia, snn_sn, rf_snia, rf_kn, mulens : array of float
        Probabilities: supernova Ia against others, supernova against all, early supernova Ia, kilonova, microlensing.
    """

    age: np.ndarray
    ndethist: np.ndarray
    drb: np.ndarray
    classtar: np.ndarray
    roid: np.ndarray
    snn_snia: np.ndarray
    snn_sn: np.ndarray
    rf_snia: np.ndarray
    rf_kn: np.ndarray
    mulens: np.ndarray


def classification(scores: Scores, simbad: pd.Series, tracklet: pd.Series) -> np.ndarray:
    """Name each alert; each step overwrites those before it.

    A comparison with a null or a NaN is false, so a step whose input is absent changes nothing.

    Parameters
    ----------
    scores : Scores
        Of classifiers and the survey.
    simbad : Series of str
        SIMBAD's type of the nearest object, ``Unknown`` where there is none, null where it was not searched.
    tracklet : Series of str
        Name of the track the alert belongs to, if it does.

    Returns
    -------
    array of str
        ``Unknown`` where no step applies, ``Ambiguous`` where contradicting ones do.
    """
    s, host = scores, may_host(simbad)
    with np.errstate(invalid="ignore"):
        lens, supernova = s.mulens > 0, is_supernova(s) & host
        candidate, known = s.roid == roid.CANDIDATE, s.roid == roid.KNOWN
        steps = [
            ("Microlensing candidate", lens),
            ("SN candidate", supernova),
            ("Early SN Ia candidate", is_early_supernova(s) & host),
            ("Kilonova candidate", is_kilonova(s) & host),
            ("Solar System candidate", candidate),
            ("Tracklet", tracklet.fillna("").str.startswith(TRACKLET).to_numpy(dtype=bool)),
            ("Solar System MPC", known),
            (AMBIGUOUS, np.sum([lens, supernova, candidate, known], axis=0) > 1),
        ]
    names: np.ndarray = np.full(len(simbad), UNKNOWN, dtype=object)
    for name, applies in steps:
        names[applies] = name
    labelled = is_label(simbad)
    names[labelled] = simbad.to_numpy(dtype=object)[labelled]
    return names


def is_supernova(s: Scores) -> Flags:
    """Tell where classifiers and survey speak for a supernova; whether one can be there is ``simbad.may_host``'s."""
    return _like_a_supernova(s) & (s.age <= SUPERNOVA_DAYS) & (s.ndethist > 1) & (s.roid != roid.KNOWN)


def is_early_supernova(s: Scores) -> Flags:
    """Tell where they speak for a supernova Ia before its maximum."""
    return _like_a_supernova(s) & (s.ndethist <= EARLY_DETECTIONS) & (s.rf_snia > LEAST_SCORE)


def is_kilonova(s: Scores) -> Flags:
    """Tell where they speak for a kilonova."""
    new = (s.age < KILONOVA_DAYS) & (s.ndethist < KILONOVA_DETECTIONS) & (s.roid != roid.KNOWN)
    return (s.rf_kn > LEAST_SCORE) & is_real_and_pointlike(s.drb, s.classtar) & new


def is_real_and_pointlike(drb: np.ndarray, classtar: np.ndarray, least_drb: float = LEAST_SCORE) -> Flags:
    """Tell which sources are no artefact and no galaxy."""
    good: Flags = (drb > least_drb) & (classtar > LEAST_CLASSTAR)
    return good


def _like_a_supernova(s: Scores) -> Flags:
    scored = (s.snn_snia > LEAST_SCORE) | (s.snn_sn > LEAST_SCORE)
    return scored & is_real_and_pointlike(s.drb, s.classtar)


def _columns(*columns: pd.Series) -> np.ndarray:
    jd, first_jd, *single = columns[:6]
    simbad, tracklet, *probabilities = columns[6:]
    scores = Scores(numbers(jd) - numbers(first_jd), *map(numbers, [*single, *probabilities]))
    return classification(scores, simbad, tracklet)


MODULE = Module(
    name="classification",
    version="1",
    inputs=(
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.ndethist",
        "candidate.drb",
        "candidate.classtar",
        "roid",
    ),
    outputs=(Output("finkclass", "string", "", "What the alert is: SIMBAD's type, a candidate's kind, or Unknown"),),
    function=_columns,
    optional=(
        "cdsxmatch",
        "tracklet",
        "snn_snia_vs_nonia",
        "snn_sn_vs_all",
        "rf_snia_vs_nonia",
        "rf_kn_vs_nonkn",
        "mulens",
    ),
)
