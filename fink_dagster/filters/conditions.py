"""Conditions that several filters share, over columns as numpy arrays.

A comparison with a null is false, and so is its contrary: what nobody knows speaks for no alert. Rules that science
modules have already are taken from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.science.classification import Scores
from fink_dagster.science.columns import numbers
from fink_dagster.science.roid import KNOWN
from fink_dagster.science.simbad import UNKNOWN, is_label, may_host

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]


def found_nothing(label: pd.Series) -> Flags:
    """Tell where a catalogue was searched and has nothing."""
    return _yes(label == UNKNOWN)


def found_something(label: pd.Series) -> Flags:
    """Tell where a catalogue was searched and has something."""
    return _yes(label.notna() & (label != UNKNOWN))


def is_possible_host(simbad: pd.Series) -> Flags:
    """Tell where SIMBAD was searched and has nothing, or what a supernova can be in or have been taken for.

    Upstream takes its failed searches for possible hosts as well, and so lets every alert through when SIMBAD is down.
    """
    return may_host(simbad) & _yes(simbad.notna())


def has_no_label(simbad: pd.Series) -> Flags:
    """Tell where SIMBAD was searched and does not say what the alert is."""
    return ~is_label(simbad) & _yes(simbad.notna())


def is_no_known_asteroid(roid: pd.Series) -> Flags:
    """Tell which alerts are on no object of the Minor Planet Center."""
    return _yes(roid.notna() & (roid != KNOWN))


def age(jd: pd.Series, jdstarthist: pd.Series) -> np.ndarray:
    """Return the time since the first detection at the place [d]."""
    return numbers(jd) - numbers(jdstarthist)


def scores(age_days: np.ndarray, **given: pd.Series) -> Scores:
    """Return what classifiers and the survey say; nobody says what is not given."""
    absent = dict.fromkeys(Scores.__dataclass_fields__, np.full(len(age_days), np.nan))
    return Scores(**{**absent, "age": age_days, **{name: numbers(column) for name, column in given.items()}})


def _yes(condition: pd.Series) -> Flags:
    """Return a condition as flags, null as no."""
    flags: Flags = condition.to_numpy(dtype=bool, na_value=False)
    return flags
