"""``magnetic_cvs``: magnetic cataclysmic variables brighter than before (fink-filters, livestream filter of that name).

Upstream has a list of them in a file of its package. Here the star is a column that a cross-match with such a list can
add, and the filter comes alive when it does: ``magnetic_cv``, its name, ``Unknown`` where there is none. Upstream looks
for the alert nearest to each star, so that of two alerts of a star in one batch one passes; here both do. It also
writes to Telegram; this one writes to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import found_something
from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import is_positive

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def _is_brighter(magnetic_cv: pd.Series, isdiffpos: pd.Series) -> np.ndarray:
    return found_something(magnetic_cv) & is_positive(isdiffpos)


FILTER = Filter(
    name="magnetic_cvs",
    inputs=("magnetic_cv", "candidate.isdiffpos"),
    predicate=_is_brighter,
    description="Alerts of magnetic cataclysmic variables that are brighter than in the reference image",
    owner="fink",
    version="1",
)
