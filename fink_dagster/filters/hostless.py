"""``new_hostless``, ``intra_night_hostless`` and ``inter_night_hostless``: new, in no catalogue, without a host galaxy.

The rules are fink-filters' (livestream filters of these names), the statistics those of ``science.hostless``, made here
for what is left after everything else was asked: the columns ``kstest_science`` and ``kstest_template`` are of other
alerts. Upstream draws from one generator per process, so what is near a bound passes or not by chance. It also takes an
upper limit among the last points for a detection; here each of them must be measured.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fink_dagster.filters import light_curve
from fink_dagster.filters.conditions import found_nothing, has_no_label, is_no_known_asteroid
from fink_dagster.filters.filter import Filter
from fink_dagster.science.columns import numbers
from fink_dagster.science.hostless import hostless

if TYPE_CHECKING:
    import pandas as pd

NEAREST_SOURCE_PIXELS = 1.5
"""Of the reference image; farther than that."""
MOST_IN_SCIENCE, MOST_IN_TEMPLATE = 0.5, 0.85
"""Structure in the stamps, from 0 up to that."""
HALF_NIGHT_DAYS = 0.5
_POINTS = ("jd", "magpsf")
_STAMPS = ("cutoutScience.stampData", "cutoutTemplate.stampData", "candid")
_OBJECT = ("candidate.distnr", "cdsxmatch", "DR3Name", "roid", "candidate.ndethist")


def is_uncatalogued(distnr: pd.Series, simbad: pd.Series, gaia: pd.Series, roid: pd.Series) -> np.ndarray:
    """Tell which alerts lie on nothing known: no source of the reference, no label of SIMBAD, no Gaia, no asteroid."""
    off: np.ndarray = numbers(distnr) > NEAREST_SOURCE_PIXELS
    return off & has_no_label(simbad) & found_nothing(gaia) & is_no_known_asteroid(roid)


def is_within_a_night(jd: np.ndarray) -> bool:
    """Tell whether two points are less than 12 hours apart."""
    return bool(jd[1] - jd[0] < HALF_NIGHT_DAYS)


def is_across_nights(jd: np.ndarray) -> bool:
    """Tell whether of three points the first two are less than 12 hours apart, and the third comes later than that."""
    return bool(jd[1] - jd[0] < HALF_NIGHT_DAYS < jd[2] - jd[1])


def _has_no_host(science: object, template: object, candid: Any) -> bool:
    found = hostless(science, template, int(candid))
    in_science, in_template = found["kstest_science"], found["kstest_template"]
    if in_science is None or in_template is None:
        return False
    return 0 <= in_science <= MOST_IN_SCIENCE and 0 <= in_template <= MOST_IN_TEMPLATE


def _passes(detections: int, *columns: pd.Series) -> np.ndarray:
    """Judge alerts that have that many detections, all of them measured and timed as the filter wants it."""
    stamps, (*place, ndethist), points = columns[:3], columns[3:8], columns[8:]
    passes = is_uncatalogued(*place) & (numbers(ndethist) == detections) & stamps[2].notna().to_numpy(dtype=bool)
    timed = {2: is_within_a_night, 3: is_across_nights}
    for row, (jd, magpsf) in light_curve.curves(points, passes) if detections in timed else ():
        measured = len(jd) >= detections and not np.isnan(magpsf[-detections:]).any()
        passes[row] = measured and timed[detections](jd[-detections:])
    for row in np.flatnonzero(passes).tolist():
        passes[row] = _has_no_host(*(column.iloc[row] for column in stamps))
    return passes


def _filter(name: str, detections: int, description: str) -> Filter:
    points = light_curve.paths(*_POINTS) if detections > 1 else ()
    inputs = (*_STAMPS, *_OBJECT, *points)
    return Filter(name, inputs, partial(_passes, detections), description, owner="fink", version="1")


FILTERS = (
    _filter("new_hostless", 1, "First detections in no catalogue and without a host galaxy in the stamps"),
    _filter("intra_night_hostless", 2, "Second detections of such objects, within 12 hours of the first"),
    _filter("inter_night_hostless", 3, "Third detections of such objects, in a later night than the first two"),
)
