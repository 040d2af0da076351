"""``tns_match``: young objects with a name at the Transient Name Server (fink-filters, livestream filter of that name).

It comes alive when a cross-match adds ``tns``, the object's class there, empty where it has none. Upstream's writes to
Telegram; this one writes to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import age
from fink_dagster.filters.filter import Filter

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LONGEST_AGE_DAYS = 30.0


def _is_young_match(tns: pd.Series, jd: pd.Series, jdstarthist: pd.Series) -> np.ndarray:
    named = (tns.notna() & (tns != "")).to_numpy(dtype=bool, na_value=False)
    return named & (age(jd, jdstarthist) <= LONGEST_AGE_DAYS)


FILTER = Filter(
    name="tns_match",
    inputs=("tns", "candidate.jd", "candidate.jdstarthist"),
    predicate=_is_young_match,
    description="Alerts at most 30 days after the first detection on objects the Transient Name Server knows",
    owner="fink",
    version="1",
)
