"""``unknowns``: alerts that nothing says anything of (fink-filters, livestream filter of that name).

The class is ``finkclass``. Where SIMBAD was not searched nobody can say that an object is unknown; upstream lets an
alert whose search failed pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import found_nothing, has_no_label
from fink_dagster.filters.filter import Filter

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def _is_unknown(finkclass: pd.Series, cdsxmatch: pd.Series) -> np.ndarray:
    return found_nothing(finkclass) & has_no_label(cdsxmatch)


FILTER = Filter(
    name="unknowns",
    inputs=("finkclass", "cdsxmatch"),
    predicate=_is_unknown,
    description="Alerts that no catalogue, classifier or rule has a word for",
    owner="fink",
    version="1",
)
