"""``sn_candidates`` and ``early_sn_candidates``: what SuperNNova takes for a supernova, at any time or on its rise.

The rules are those of ``finkclass`` (fink-filters, livestream filters of these names). They come alive when modules add
the scores. Upstream's ``early_sn_candidates`` writes to Telegram; this one writes to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.conditions import age, is_no_known_asteroid, is_possible_host, scores
from fink_dagster.filters.filter import Filter
from fink_dagster.science.classification import is_early_supernova, is_supernova
from fink_dagster.science.columns import numbers

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def _is_supernova(cdsxmatch: pd.Series, jd: pd.Series, jdstarthist: pd.Series, *said: pd.Series) -> np.ndarray:
    names = ("ndethist", "drb", "classtar", "roid", "snn_snia", "snn_sn")
    given = dict(zip(names, said, strict=True))
    likely = is_supernova(scores(age(jd, jdstarthist), **given))
    return likely & is_possible_host(cdsxmatch) & is_no_known_asteroid(given["roid"])


def _is_early(cdsxmatch: pd.Series, *said: pd.Series) -> np.ndarray:
    names = ("ndethist", "drb", "classtar", "snn_snia", "snn_sn", "rf_snia")
    given = dict(zip(names, said, strict=True))
    return is_early_supernova(scores(numbers(given["ndethist"]), **given)) & is_possible_host(cdsxmatch)


SN_CANDIDATES = Filter(
    name="sn_candidates",
    inputs=(
        "cdsxmatch",
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.ndethist",
        "candidate.drb",
        "candidate.classtar",
        "roid",
        "snn_snia_vs_nonia",
        "snn_sn_vs_all",
    ),
    predicate=_is_supernova,
    description="Alerts at most 90 days after the first detection that SuperNNova takes for a supernova",
    owner="fink",
    version="1",
)
EARLY_SN_CANDIDATES = Filter(
    name="early_sn_candidates",
    inputs=(
        "cdsxmatch",
        "candidate.ndethist",
        "candidate.drb",
        "candidate.classtar",
        "snn_snia_vs_nonia",
        "snn_sn_vs_all",
        "rf_snia_vs_nonia",
    ),
    predicate=_is_early,
    description="Alerts with at most 20 detections that SuperNNova and the random forest take for a supernova Ia",
    owner="fink",
    version="1",
)
FILTERS = (SN_CANDIDATES, EARLY_SN_CANDIDATES)
