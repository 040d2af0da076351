"""``early_kn_candidates``: new and faint beside a nearby galaxy (fink-filters, livestream filter of that name).

Upstream asks the SDSS over the network and looks through all Mangrove galaxies within 2 degrees. Here what they say are
columns that cross-matches can add, and the filter comes alive when they do: ``near_galaxy_lum_dist``, the luminosity
distance [Mpc] of the galaxy nearest in projection, within 10 kpc; ``is_sdss_star``, whether the SDSS has a star or a
quasar within 5 arcsec. Upstream lets a failed answer of the SDSS pass; here a null does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.filters.conditions import age, is_no_known_asteroid, is_possible_host
from fink_dagster.filters.filter import Filter
from fink_dagster.science.classification import is_real_and_pointlike
from fink_dagster.science.columns import numbers

if TYPE_CHECKING:
    import pandas as pd

LONGEST_AGE_DAYS = 0.25
BRIGHTEST, FAINTEST = -17.0, -15.0
"""Absolute magnitude at the galaxy's distance, neither included [mag]."""
LEAST_LATITUDE_DEG = 10.0
"""From the planes of the Galaxy and of the ecliptic."""


def _is_candidate(cdsxmatch: pd.Series, roid: pd.Series, is_sdss_star: pd.Series, *single: pd.Series) -> np.ndarray:
    jd, jdstarthist, *rest = single
    drb, classtar, magpsf, lum_dist, galactic, ecliptic = map(numbers, rest)
    with np.errstate(invalid="ignore", divide="ignore"):
        absolute = magpsf - 25.0 - 5.0 * np.log10(lum_dist)
        off_planes = (np.abs(galactic) > LEAST_LATITUDE_DEG) & (np.abs(ecliptic) > LEAST_LATITUDE_DEG)
        faint = (absolute > BRIGHTEST) & (absolute < FAINTEST)
        new = is_real_and_pointlike(drb, classtar) & (age(jd, jdstarthist) < LONGEST_AGE_DAYS)
    no_star = (is_sdss_star == False).to_numpy(dtype=bool, na_value=False)  # noqa: E712 - a null is no no
    return new & faint & off_planes & no_star & is_possible_host(cdsxmatch) & is_no_known_asteroid(roid)


FILTER = Filter(
    name="early_kn_candidates",
    inputs=(
        "cdsxmatch",
        "roid",
        "is_sdss_star",
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.drb",
        "candidate.classtar",
        "candidate.magpsf",
        "near_galaxy_lum_dist",
        "galactic_latitude",
        "ecliptic_latitude",
    ),
    predicate=_is_candidate,
    description="Alerts within 6 hours of the first detection, as bright as a kilonova in the galaxy they are beside",
    owner="fink",
    version="1",
)
