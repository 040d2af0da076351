"""``sso_fink_candidates``: alerts that look like an unknown asteroid (fink-filters, livestream filter of that name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import Filter
from fink_dagster.science.roid import CANDIDATE

if TYPE_CHECKING:
    import pandas as pd


def _is_candidate(roid: pd.Series) -> pd.Series:
    return roid == CANDIDATE


FILTER = Filter(
    name="sso_fink_candidates",
    inputs=("roid",),
    predicate=_is_candidate,
    description="Alerts that Fink's own criteria take for a Solar-System object not known before",
    owner="fink",
    version="1",
)
