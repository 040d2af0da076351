"""``first_pass_candidates``: the only detection at a place so far (fink-filters, livestream filter of that name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import Filter
from fink_dagster.science.roid import NEW

if TYPE_CHECKING:
    import pandas as pd


def _is_first(roid: pd.Series) -> pd.Series:
    return roid == NEW


FILTER = Filter(
    name="first_pass_candidates",
    inputs=("roid",),
    predicate=_is_first,
    description="Alerts where nothing was detected before, and that do not look like an asteroid",
    owner="fink",
    version="1",
)
