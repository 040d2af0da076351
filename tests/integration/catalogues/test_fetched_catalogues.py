"""Catalogues as ``fink-dagster catalogues fetch`` brings them, against known variables and upstream's own matches."""

from __future__ import annotations

import csv
import subprocess
import sys

import fastavro
import pandas as pd
import pytest

from fink_dagster.catalogues.index import nearest
from fink_dagster.catalogues.registration import Registered, open_index, register
from fink_dagster.science.crossmatch import MODULES, with_catalogues
from fink_dagster.science.run import run_modules
from fink_dagster.settings import Settings, load_settings
from tests.conftest import SHARED

BROUGHT = ("gcvs", "vsx", "x3hsp", "x4lac", "mangrove")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Say where the catalogues are, fetched as a user does; into the cache, so that it takes time only once."""
    command = [sys.executable, "-m", "fink_dagster.cli", "catalogues", "fetch"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return load_settings()


def test_what_travels_with_the_package_is_fetched_and_sound(settings: Settings) -> None:
    assert {name: _registered(settings, name).rows for name in BROUGHT} == {
        "gcvs": 59_099,
        "vsx": 1_933_544,
        "x3hsp": 2_013,
        "x4lac": 3_814,
        "mangrove": 295_341,
    }


def _registered(settings: Settings, name: str) -> Registered:
    registered = register(name, settings.catalogue_folder, settings.catalogue_indexes)
    assert registered is not None
    return registered


def _matched(settings: Settings, ra: list[float], dec: list[float]) -> pd.DataFrame:
    bound = with_catalogues(MODULES, settings.catalogue_folder, settings.catalogue_indexes)
    modules = [module for module in bound if module.name in BROUGHT]
    ran = run_modules(pd.DataFrame({"candidate.ra": ra, "candidate.dec": dec}), modules)
    assert ran.failures == {}
    return ran.columns


if SHARED.exists():

    @pytest.mark.parametrize(("catalogue", "number"), [("gcvs", 8), ("vsx", 123)])
    def test_known_variables_are_found_at_their_distances_and_no_others(
        settings: Settings, catalogue: str, number: int
    ) -> None:
        with (SHARED / "ground_truth.csv").open() as file:
            truth = pd.DataFrame(csv.DictReader(file))
        ra, dec = (truth[name].astype(float) for name in ("ra", "dec"))
        found = _matched(settings, ra.tolist(), dec.tolist())[catalogue]
        assert found.tolist() == truth[catalogue].replace("", "Unknown").tolist()
        known = truth[catalogue] != ""
        assert (len(truth), known.sum()) == (283, number)
        index = open_index(_registered(settings, catalogue).index)
        distances = nearest(index, ra.to_numpy(), dec.to_numpy(), 1.5).distance_arcsec
        expected = truth.loc[known, f"{catalogue}_arcsec"].astype(float)
        assert distances[known] == pytest.approx(expected.to_numpy(), abs=1e-9)

    def test_matches_are_upstreams_on_alerts_it_enriched(settings: Settings) -> None:
        with (SHARED / "oracle/fink_enriched_20260322.avro").open("rb") as file:
            alerts = list(fastavro.reader(file))
        found = _matched(settings, *([alert["candidate"][name] for alert in alerts] for name in ("ra", "dec")))
        for name in ("gcvs", "x3hsp", "x4lac"):
            assert found[name].tolist() == [alert[name] for alert in alerts]
        galaxies = pd.DataFrame([alert["mangrove"] for alert in alerts]).add_prefix("mangrove_")
        for name in galaxies:
            ours = [str(cell) for cell in found[name].astype(object).where(found[name].notna(), None)]
            assert ours == galaxies[name].tolist()
        assert int(found["mangrove_lum_dist"].notna().sum()) == 4
