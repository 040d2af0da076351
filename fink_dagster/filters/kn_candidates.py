"""``kn_candidates``: what the kilonova classifier says is one (fink-filters, livestream filter of that name).

The rule is that of ``finkclass``. It comes alive when a module adds the score. Upstream's writes to Slack; this one
writes to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import age, is_no_known_asteroid, is_possible_host, scores
from fink_dagster.filters.filter import Filter
from fink_dagster.science.classification import is_kilonova

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def _is_candidate(cdsxmatch: pd.Series, jd: pd.Series, jdstarthist: pd.Series, *said: pd.Series) -> np.ndarray:
    given = dict(zip(("ndethist", "drb", "classtar", "roid", "rf_kn"), said, strict=True))
    likely = is_kilonova(scores(age(jd, jdstarthist), **given))
    return likely & is_possible_host(cdsxmatch) & is_no_known_asteroid(given["roid"])


FILTER = Filter(
    name="kn_candidates",
    inputs=(
        "cdsxmatch",
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.ndethist",
        "candidate.drb",
        "candidate.classtar",
        "roid",
        "rf_kn_vs_nonkn",
    ),
    predicate=_is_candidate,
    description="Alerts less than 5 days after the first detection that the random forest takes for a kilonova",
    owner="fink",
    version="1",
)
