"""Filters of the real fink-filters against ours, on made-up alerts at the bounds and on real ones.

Where the two differ, the difference is upstream's, or said in the first lines of our module.
"""

from __future__ import annotations

import csv
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord

from fink_dagster.filters.apply import Verdicts, judge
from fink_dagster.filters.fink_filters import PREFIX
from fink_dagster.filters.fink_filters_ztf import FILTERS
from fink_dagster.filters.registry import get_filter
from fink_dagster.science.fink_science import udf_of
from fink_dagster.science.frame import alert_type, batch_of, frame_of
from fink_dagster.science.registry import get_module, modules_for
from fink_dagster.science.run import run_modules
from fink_dagster.surveys.avro import by_place, has_path
from fink_dagster.surveys.ztf import ZTF
from tests.alerts import night
from tests.conftest import SHARED
from tests.packets import decoded

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [item.name.removeprefix(PREFIX) for item in FILTERS]
OURS = [get_filter(name) for name in NAMES]
LABELS = [
    *("Unknown", "Unknown", "Unknown", "Transient", "Galaxy", "GalaxyCandidate", "SN*_Candidate", "Seyfert_1"),
    *("RRLyr", "BLLac", "Blazar_Candidate", "LensedQ", "BlackHole", "Candidate_YSO", "TTau*_Candidate", "YSO"),
]
BOUNDS: dict[str, list[Any]] = {
    "cdsxmatch": LABELS,
    "roid": [0, 0, 0, 1, 2, 3],
    "candidate.drb": [0.3, 0.5, 0.51, 0.9, 0.99],
    "candidate.classtar": [0.39, 0.4, 0.41, 0.9],
    "candidate.ndethist": [1, 2, 3, 19, 20, 21, 40],
    "candidate.magpsf": [17.0, 18.0, 19.5, 19.51, 20.0],
    "mulens": [0.0, 0.0, 0.0, 0.1],
    "rf_kn_vs_nonkn": [0.0, 0.5, 0.51],
    "rf_snia_vs_nonia": [0.0, 0.5, 0.51],
    "snn_snia_vs_nonia": [0.0, 0.5, 0.51],
    "snn_sn_vs_all": [0.0, 0.5, 0.51],
    "tns": ["", "SN Ia"],
    "spicy_class": ["Unknown", "ClassII"],
    "lc_features_r.linear_fit_slope": [-0.5, -0.025, 0.0, 0.025, 0.0251, 0.5],
    "candidate.isdiffpos": ["t", "f", "1"],
    "candidate.fid": [1, 2],
}
AGES = [0.0, 0.1, 4.9, 5.0, 5.1, 29.9, 30.0, 30.1, 60.0, 60.1, 90.0, 90.1]
JD = 2460000.5


def _stars(folder: Path) -> list[tuple[str, SkyCoord]]:
    with (folder / "fink_filters/data/magnetic_cataclysmic_variables.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        (row["Name"].strip(), SkyCoord(row["RA(J2000)"], row["DEC(J2000)"], unit=("hourangle", "deg"))) for row in rows
    ]


def _constructed(folder: Path, number: int) -> pd.DataFrame:
    """Return alerts with every input of every filter, drawn from values at the bounds and beyond."""
    draw = np.random.default_rng(7)
    frame = pd.DataFrame({path: draw.choice(np.array(values), number) for path, values in BOUNDS.items()})
    frame["candidate.jd"] = JD
    frame["candidate.jdstarthist"] = JD - draw.choice(AGES, number)
    frame["candidate.sigmapsf"], frame["candidate.sigmagnr"] = 0.1, 0.1
    frame["candidate.magnr"], frame["candidate.diffmaglim"] = 21.0, 20.5
    frame["objectId"], frame["spicy_id"], frame["cutoutScience.stampData"] = "ZTF20aaaaaaa", 1, b""
    stars = _stars(folder)
    frame["candidate.ra"], frame["candidate.dec"], frame["magnetic_cv"] = 200.0, 85.0, "Unknown"
    for place, (name, star) in zip(range(0, number, 3), stars, strict=False):
        frame.loc[place, ["candidate.ra", "candidate.dec"]] = star.ra.deg, star.dec.deg
        frame.loc[place, "magnetic_cv"] = name
    lengths = draw.integers(1, 9, number)
    steps = [np.sort(draw.choice([0.01, 0.05, 1.0, 3.0, 7.5, 20.0], length, replace=True))[::-1] for length in lengths]
    histories = {
        "jd": [JD - np.cumsum(step[::-1])[::-1] for step in steps],
        "magpsf": [_magnitudes(draw, length) for length in lengths],
        "fid": [draw.choice([1.0, 2.0, 2.0], length) for length in lengths],
        "isdiffpos": [draw.choice(np.array(["t", "f", "1"], dtype=object), length) for length in lengths],
        **{name: [np.full(length, 0.1) for length in lengths] for name in ("sigmapsf", "sigmagnr")},
        **{name: [np.full(length, 21.0) for length in lengths] for name in ("magnr", "diffmaglim")},
    }
    for field, cells in histories.items():
        frame[f"prv_candidates.{field}"] = pd.Series(cells, dtype=object)
    return frame


def _magnitudes(draw: np.random.Generator, length: int) -> np.ndarray:
    """Return magnitudes along a line or at random, some of them not measured."""
    line = 18.0 + draw.choice([-0.1, 0.1]) * np.arange(length)[::-1]
    found = np.where(draw.random() < 0.5, line + draw.normal(0, 0.01, length), draw.uniform(16.0, 20.0, length))
    return np.where(draw.random(length) < 0.15, np.nan, found)


def _with_class(frame: pd.DataFrame) -> pd.DataFrame:
    classes = run_modules(frame, [get_module("classification")]).columns["finkclass"]
    return frame.assign(finkclass=classes.astype(object))


def _verdicts(frame: pd.DataFrame) -> Verdicts:
    verdicts = judge(frame, [*OURS, *FILTERS])
    assert verdicts.failed == [{}] * len(frame)
    return verdicts


def _passing(verdicts: Verdicts, name: str) -> list[int]:
    return [row for row, passed in enumerate(verdicts.passed) if name in passed]


def test_sixteen_are_declared_with_the_arguments_they_take(fink_filters: Path) -> None:
    assert len(FILTERS) == 16
    for item in FILTERS:
        taken = inspect.signature(udf_of(item.predicate.path, item.predicate.release).func).parameters
        assert item.predicate.names == tuple(taken), item.name


@pytest.fixture(scope="module")
def at_the_bounds(fink_filters: Path) -> Verdicts:
    return _verdicts(_with_class(_constructed(fink_filters, 6000)))


@pytest.mark.parametrize("name", NAMES)
def test_theirs_and_ours_pass_the_same_alerts_at_the_bounds(at_the_bounds: Verdicts, name: str) -> None:
    theirs = _passing(at_the_bounds, f"{PREFIX}{name}")
    assert _passing(at_the_bounds, name) == theirs
    assert 0 < len(theirs) < 6000


def test_a_search_that_failed_speaks_for_upstream_and_not_for_us(fink_filters: Path) -> None:
    frame = _constructed(fink_filters, 300).assign(cdsxmatch="Fail 504", finkclass="Unknown")
    verdicts = _verdicts(frame)
    assert _passing(verdicts, "fast_riser_candidates") == []
    assert _passing(verdicts, "ff_fast_riser_candidates") != []


def test_an_alert_upstream_cannot_judge_fails_alone(fink_filters: Path) -> None:
    frame = pd.DataFrame({"roid": pd.array([2, None, 3], dtype="Int32")})
    chosen = [item for item in FILTERS if item.inputs == ("roid",)]
    verdicts = judge(frame, chosen)
    assert verdicts.passed == [["ff_sso_fink_candidates"], [], ["ff_sso_ztf_candidates"]]
    assert [len(why) for why in verdicts.failed] == [0, 3, 0]


def _enriched(alerts: list[dict[str, Any]]) -> pd.DataFrame:
    """Return what filters see of real alerts; labels and scores, which no catalogue or model gave, are drawn."""
    schema = by_place(ZTF().alert_schema)
    modules = modules_for(schema)
    paths = {path for module in modules for path in module.reads} | {path for item in FILTERS for path in item.inputs}
    held = sorted(path for path in paths if has_path(schema, path))
    kind = alert_type(schema, held)
    frame = frame_of(batch_of(alerts, kind), kind, held)
    draw = np.random.default_rng(7)
    drawn = ("cdsxmatch", "mulens", "rf_kn_vs_nonkn", "rf_snia_vs_nonia", "snn_snia_vs_nonia", "snn_sn_vs_all", "tns")
    frame = frame.assign(**{path: draw.choice(np.array(BOUNDS[path]), len(frame)) for path in drawn})
    science = run_modules(frame, [module for module in modules if module.name not in ("simbad", "hostless")]).columns
    slopes = [None if cell is None else cell["linear_fit_slope"] for cell in science["lc_features_r"]]
    frame = frame.assign(roid=science["roid"], spicy_class="ClassII", spicy_id=1, magnetic_cv="Unknown")
    return _with_class(frame.assign(**{"lc_features_r.linear_fit_slope": np.array(slopes, dtype=np.float64)}))


def test_on_the_sample_night_theirs_and_ours_agree(fink_filters: Path, packets: list[bytes]) -> None:
    frame = _enriched([decoded(packet)[1] for packet in packets])
    verdicts = _verdicts(frame)
    for name in NAMES:
        assert _passing(verdicts, name) == _passing(verdicts, f"{PREFIX}{name}"), name


if SHARED.exists():

    @pytest.mark.parametrize("tarball", sorted(path.name for path in SHARED.glob("*.tar.gz")))
    def test_on_real_nights_theirs_and_ours_agree(fink_filters: Path, tarball: str) -> None:
        frame = _enriched(night(tarball))
        verdicts = _verdicts(frame)
        for name in NAMES:
            assert _passing(verdicts, name) == _passing(verdicts, f"{PREFIX}{name}"), name
        assert sum(map(len, verdicts.passed)) > len(frame) / 2
