"""``sso_ztf_candidates``: alerts on a known Solar-System object (fink-filters, livestream filter of that name)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import Filter
from fink_dagster.science.roid import KNOWN

if TYPE_CHECKING:
    import pandas as pd


def _is_known(roid: pd.Series) -> pd.Series:
    return roid == KNOWN


FILTER = Filter(
    name="sso_ztf_candidates",
    inputs=("roid",),
    predicate=_is_known,
    description="Alerts within 5 arcsec of a Solar-System object known to the Minor Planet Center",
    owner="fink",
    version="1",
)
