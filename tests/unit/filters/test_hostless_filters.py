"""The filters of transients without a host against their rules; the statistics themselves are tested where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.filters import hostless as module
from fink_dagster.filters.apply import judge
from fink_dagster.filters.registry import get_filter
from fink_dagster.science.hostless import hostless
from tests.unit.science.test_hostless import CANDID, SCIENCE, TEMPLATE

JD = 2460000.5
BASE: dict[str, Any] = {
    "cutoutScience.stampData": SCIENCE,
    "cutoutTemplate.stampData": TEMPLATE,
    "candid": CANDID,
    "candidate.distnr": 1.6,
    "cdsxmatch": "Unknown",
    "DR3Name": "Unknown",
    "roid": 0,
}
WITHIN = {"candidate.jd": JD, "candidate.magpsf": 18.0, "prv_candidates.magpsf": np.array([np.nan, 19.0])}
PASSING: dict[str, dict[str, Any]] = {
    "new_hostless": {**BASE, "candidate.ndethist": 1},
    "intra_night_hostless": {
        **BASE,
        **WITHIN,
        "candidate.ndethist": 2,
        "prv_candidates.jd": np.array([JD - 3.0, JD - 0.4]),
    },
    "inter_night_hostless": {
        **BASE,
        **WITHIN,
        "candidate.ndethist": 3,
        "prv_candidates.magpsf": np.array([19.5, 19.0]),
        "prv_candidates.jd": np.array([JD - 1.0, JD - 0.6]),
    },
}
CATALOGUED = [
    {"candidate.distnr": 1.5},
    {"cdsxmatch": "Star"},
    {"DR3Name": "Gaia DR3 1"},
    {"roid": 3},
    {"candidate.ndethist": 4},
]
TIMED: dict[str, list[dict[str, Any]]] = {
    "new_hostless": [],
    "intra_night_hostless": [
        {"prv_candidates.jd": np.array([JD - 3.0, JD - 0.5])},
        {"prv_candidates.magpsf": np.array([19.0, np.nan])},
        {"prv_candidates.magpsf": None, "prv_candidates.jd": None},
    ],
    "inter_night_hostless": [
        {"prv_candidates.jd": np.array([JD - 1.0, JD - 0.5])},
        {"prv_candidates.jd": np.array([JD - 1.2, JD - 0.7])},
        {"prv_candidates.magpsf": np.array([np.nan, 19.0])},
        {"prv_candidates.jd": np.array([JD - 0.6]), "prv_candidates.magpsf": np.array([19.0])},
    ],
}


def _passes(name: str, *rows: dict[str, Any]) -> list[bool]:
    frame = pd.DataFrame({path: pd.Series([row[path] for row in rows], dtype=object) for path in rows[0]})
    for path in ("candidate.distnr", "roid", "candidate.ndethist", "candidate.jd", "candidate.magpsf"):
        if path in frame:
            frame[path] = frame[path].astype("float64")
    verdicts = judge(frame, [get_filter(name)])
    assert verdicts.failed == [{}] * len(rows)
    return [passed == [name] for passed in verdicts.passed]


@pytest.fixture
def structure(monkeypatch: pytest.MonkeyPatch) -> dict[str, float | None]:
    """What stands for the statistics of every stamp."""
    found: dict[str, float | None] = {"kstest_science": 0.5, "kstest_template": 0.85}
    monkeypatch.setattr(module, "hostless", lambda *_: found)
    return found


@pytest.mark.parametrize("name", sorted(PASSING))
def test_what_is_in_no_catalogue_and_timed_as_the_rule_has_it_passes(
    name: str, structure: dict[str, float | None]
) -> None:
    base = PASSING[name]
    assert _passes(name, base, {**base, "cdsxmatch": "Galaxy"}, {**base, "roid": 2}) == [True] * 3
    for change in [*CATALOGUED, *TIMED[name]]:
        assert _passes(name, base, {**base, **change}) == [True, False], change


@pytest.mark.parametrize("name", sorted(PASSING))
def test_what_nobody_looked_up_or_measured_does_not_pass(name: str, structure: dict[str, float | None]) -> None:
    base = PASSING[name]
    for path in base.keys() - {"cutoutScience.stampData", "cutoutTemplate.stampData"}:
        assert _passes(name, {**base, path: None}, base) == [False, True], path


@pytest.mark.parametrize(
    ("in_science", "in_template", "passes"),
    [(0.0, 0.0, True), (0.51, 0.0, False), (0.5, 0.86, False), (None, 0.1, False), (0.1, None, False)],
)
def test_structure_in_the_stamps_speaks_for_a_host(
    structure: dict[str, float | None], in_science: float | None, in_template: float | None, passes: bool
) -> None:
    structure |= {"kstest_science": in_science, "kstest_template": in_template}
    assert _passes("new_hostless", PASSING["new_hostless"]) == [passes]


def test_stamps_are_looked_at_as_the_science_module_looks_at_them() -> None:
    found = hostless(SCIENCE, TEMPLATE, CANDID)
    in_science, in_template = found["kstest_science"], found["kstest_template"]
    assert in_science is not None
    assert in_template is not None
    expected = in_science <= 0.5 and in_template <= 0.85
    base = PASSING["new_hostless"]
    without = {**base, "cutoutScience.stampData": None}
    damaged = {**base, "cutoutTemplate.stampData": b"no stamp"}
    assert _passes("new_hostless", base, without, damaged) == [expected, False, False]
