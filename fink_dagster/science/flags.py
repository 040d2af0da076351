"""``flags``: what is known of an alert's object from the packet alone, as yes or no.

Fink's ``is_first`` and ``is_sso`` (``pred`` of fink-broker, ``rubin/science``) said in the terms of ZTF. Whether an
alert only looks like an asteroid is ``roid``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.columns import numbers
from fink_dagster.science.module import Module, Output
from fink_dagster.science.roid import MPC_RADIUS_ARCSEC

if TYPE_CHECKING:
    from pandas.arrays import BooleanArray

NO_NAMES = frozenset({"", "null"})  # ZTF writes the text where no asteroid is near


def is_first(ndethist: np.ndarray) -> BooleanArray:
    """Tell where an alert is the only detection of its place since the beginning of the survey; null without it."""
    return pd.arrays.BooleanArray(ndethist == 1, np.isnan(ndethist))


def is_sso(ssdistnr: np.ndarray, ssnamenr: pd.Series) -> BooleanArray:
    """Tell where an alert is a known body of the Solar System: one with a name is as near as ``roid`` asks.

    Parameters
    ----------
    ssdistnr : array of float
        Distance to the nearest known body [arcsec]; negative where there is none, NaN where it is not said.
    ssnamenr : Series of str
        Its name, ``null`` in letters where there is none.

    Returns
    -------
    BooleanArray
        A missing half makes it null, unless the other half says no.
    """
    near = pd.arrays.BooleanArray((ssdistnr >= 0) & (ssdistnr < MPC_RADIUS_ARCSEC), np.isnan(ssdistnr))
    unnamed = ssnamenr.isna().to_numpy(dtype=bool)
    named = ~ssnamenr.astype(object).isin(NO_NAMES).to_numpy(dtype=bool)
    return near & pd.arrays.BooleanArray(named, unnamed)


def _columns(ndethist: pd.Series, ssdistnr: pd.Series, ssnamenr: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"is_first": is_first(numbers(ndethist)), "is_sso": is_sso(numbers(ssdistnr), ssnamenr)})


MODULE = Module(
    name="flags",
    version="1",
    inputs=("candidate.ndethist", "candidate.ssdistnr", "candidate.ssnamenr"),
    outputs=(
        Output("is_first", "boolean", "", "Whether this is the only detection at the place so far"),
        Output("is_sso", "boolean", "", "Whether a known Solar-System body is within 5 arcsec"),
    ),
    function=_columns,
)
