"""``blazar``, ``simbad_grav_candidates`` and ``yso_candidates``: alerts on objects SIMBAD has certain types for.

The lists are those of fink-filters' livestream filters of these names. They hold SIMBAD's old names and its new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import Filter

if TYPE_CHECKING:
    import pandas as pd

BLAZARS = ("Blazar", "Blazar_Candidate", "BLLac", "BLLac_Candidate")
GRAVITATION = (
    *("Gravitation", "LensingEv", "GravLensSystem", "GravLens", "LensedImage", "LensedG", "LensedQ"),
    *("BlackHole", "GravWaveEvent"),
)
YOUNG_STARS = ("Candidate_YSO", "Candidate_TTau*", "YSO_Candidate", "TTau*_Candidate")


def _is_blazar(cdsxmatch: pd.Series) -> pd.Series:
    return cdsxmatch.isin(BLAZARS)


def _bends_light(cdsxmatch: pd.Series) -> pd.Series:
    return cdsxmatch.isin(GRAVITATION)


def _is_young_star(cdsxmatch: pd.Series) -> pd.Series:
    return cdsxmatch.isin(YOUNG_STARS)


BLAZAR = Filter(
    name="blazar",
    inputs=("cdsxmatch",),
    predicate=_is_blazar,
    description="Alerts on what SIMBAD has for a blazar or a BL Lac object, or a candidate for one",
    owner="fink",
    version="1",
)
SIMBAD_GRAV_CANDIDATES = Filter(
    name="simbad_grav_candidates",
    inputs=("cdsxmatch",),
    predicate=_bends_light,
    description="Alerts on what SIMBAD has for a gravitational lens, its image, a lensing event or a black hole",
    owner="fink",
    version="1",
)
YSO_CANDIDATES = Filter(
    name="yso_candidates",
    inputs=("cdsxmatch",),
    predicate=_is_young_star,
    description="Alerts on what SIMBAD has for a candidate of a young stellar object or a T Tauri star",
    owner="fink",
    version="1",
)
FILTERS = (BLAZAR, SIMBAD_GRAV_CANDIDATES, YSO_CANDIDATES)
