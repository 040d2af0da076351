"""``vra``: faint and real where SIMBAD has nothing (fink-filters, livestream filter of that name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import found_nothing, is_no_known_asteroid
from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import numbers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BRIGHTEST_MAG = 19.5
LEAST_DRB = 0.5


def _is_faint_and_real(magpsf: pd.Series, drb: pd.Series, cdsxmatch: pd.Series, roid: pd.Series) -> np.ndarray:
    good: np.ndarray = (numbers(magpsf) > BRIGHTEST_MAG) & (numbers(drb) > LEAST_DRB)
    return good & found_nothing(cdsxmatch) & is_no_known_asteroid(roid)


FILTER = Filter(
    name="vra",
    inputs=("candidate.magpsf", "candidate.drb", "cdsxmatch", "roid"),
    predicate=_is_faint_and_real,
    description="Alerts fainter than 19.5 mag, most likely real, where SIMBAD has nothing and no asteroid is known",
    owner="fink",
    version="1",
)
