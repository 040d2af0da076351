"""``microlensing_candidates``: what the microlensing classifier favours (fink-filters, filter of that name).

It comes alive when a module adds the score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import numbers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def _is_candidate(mulens: pd.Series) -> np.ndarray:
    return numbers(mulens) > 0


FILTER = Filter(
    name="microlensing_candidates",
    inputs=("mulens",),
    predicate=_is_candidate,
    description="Alerts that the microlensing classifier favours in both bands",
    owner="fink",
    version="1",
)
