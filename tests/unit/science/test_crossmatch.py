from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.catalogues.known import catalogues
from fink_dagster.science.crossmatch import MODULES, with_catalogues
from fink_dagster.science.module import PANDAS_TYPES, Module
from fink_dagster.science.run import run_modules
from tests.catalogues import GCVS, MANGROVE, written

ARCSEC = 1 / 3600
GAIA = {
    "DR3Name": ["Gaia DR3 1", "Gaia DR3 2"],
    "RA_ICRS": [10.0, 20.0],
    "DE_ICRS": [1.0, -45.0],
    "Plx": [2.657, float("nan")],
    "e_Plx": [0.05, float("nan")],
    "VarFlag": ["VARIABLE", "NOT_AVAILABLE"],
}
SPICY = {"SPICY": [17], "ra": [10.0], "dec": [1.0], "class": ["ClassI"]}
FILES = {"gcvs.parquet": GCVS, "mangrove.csv": MANGROVE, "gaia.vot": GAIA, "spicy.fits": SPICY}


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Module]:
    """The cross-matches, with four catalogues in the folder."""
    folder = tmp_path_factory.mktemp("catalogues")
    for name, columns in FILES.items():
        written(folder / name, columns)
    return {module.name: module for module in with_catalogues(MODULES, folder, folder / "indexes")}


def _matched(module: Module, ra: list[Any], dec: list[Any]) -> dict[str, list[Any]]:
    found = module.function(pd.Series(ra), pd.Series(dec)).astype(object)
    return found.where(found.notna(), None).to_dict("list")


def _bound(folder: Path) -> dict[str, Module]:
    return {module.name: module for module in with_catalogues(MODULES, folder, folder / "indexes")}


@pytest.mark.parametrize(
    ("away_arcsec", "expected"), [(0.0, "RRAB"), (1.49, "RRAB"), (1.51, "Unknown"), (3600.0, "Unknown")]
)
def test_the_nearest_label_within_the_radius_is_given(
    modules: dict[str, Module], away_arcsec: float, expected: str
) -> None:
    assert _matched(modules["gcvs"], [10.0], [1.0 + away_arcsec * ARCSEC]) == {"gcvs": [expected]}


def test_a_source_without_a_label_has_none(modules: dict[str, Module]) -> None:
    assert _matched(modules["gcvs"], [20.0], [-45.0]) == {"gcvs": ["Unknown"]}


def test_nothing_is_said_of_an_alert_without_a_position(modules: dict[str, Module]) -> None:
    assert _matched(modules["gcvs"], [None, 10.0, np.nan], [1.0, 1.0, 1.0]) == {"gcvs": [None, "RRAB", None]}


def test_galaxies_come_with_names_and_distances(modules: dict[str, Module]) -> None:
    assert _matched(modules["mangrove"], [10.0, 20.01, 100.0], [1.0, -45.0, 0.0]) == {
        "mangrove_HyperLEDA_name": ["NGC5055", "0012", None],
        "mangrove_2MASS_name": [None, "13154932+4201454", None],
        "mangrove_lum_dist": [8.5, None, None],
        "mangrove_ang_dist": [8.4, 120.0, None],
    }


def test_gaia_gives_name_parallax_and_variability(modules: dict[str, Module]) -> None:
    found = _matched(modules["gaia"], [10.0, 20.0, 30.0], [1.0, -45.0, 0.0])
    assert found["DR3Name"] == ["Gaia DR3 1", "Gaia DR3 2", "Unknown"]
    assert found["Plx"] == [pytest.approx(2.657), None, None]
    assert found["gaiaVarFlag"] == [1, 0, None]


def test_young_stars_have_a_number_and_a_class(modules: dict[str, Module]) -> None:
    assert _matched(modules["spicy"], [10.0, 11.0], [1.0, 1.0]) == {
        "spicy_id": [17, None],
        "spicy_class": ["ClassI", "Unknown"],
    }


def test_a_catalogue_that_is_not_there_leaves_nulls_and_its_code(modules: dict[str, Module]) -> None:
    frame = pd.DataFrame({"candidate.ra": [10.0, 20.0], "candidate.dec": [1.0, 2.0]}, index=[7, 9])
    ran = run_modules(frame, [modules["simbad"], modules["gcvs"]])
    assert ran.columns["cdsxmatch"].isna().all()
    assert ran.columns["gcvs"].tolist() == ["RRAB", "Unknown"]
    assert ran.status.tolist() == [{"simbad": "no_catalogue"}] * 2
    assert ran.failures["simbad"].text == "catalogue simbad is not in the folder of catalogues"
    assert not ran.failures["simbad"].is_fault


def test_an_index_that_went_away_is_a_fault(tmp_path: Path) -> None:
    written(tmp_path / "gcvs.parquet", GCVS)
    module = _bound(tmp_path)["gcvs"]
    moved = Module(**{**vars(module), "function": type(module.function)("gcvs", (), str(tmp_path / "gone.arrow"))})
    ran = run_modules(pd.DataFrame({"candidate.ra": [10.0], "candidate.dec": [1.0]}), [moved])
    assert ran.failures["gcvs"].code == "refused_catalogue"


def test_a_refused_catalogue_costs_its_own_columns_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "vsx.parquet").write_bytes(b"PAR1 and no more")
    written(tmp_path / "gcvs.parquet", GCVS)
    modules = _bound(tmp_path)
    frame = pd.DataFrame({"candidate.ra": [10.0], "candidate.dec": [1.0]})
    ran = run_modules(frame, [modules["vsx"], modules["gcvs"]])
    assert ran.status.tolist() == [{"vsx": "refused_catalogue"}]
    assert "catalogue vsx (vsx.parquet): must be a whole parquet table" in ran.failures["vsx"].text
    assert ran.failures["vsx"].is_fault
    assert ran.columns["gcvs"].tolist() == ["RRAB"]


def test_the_version_tells_the_file(tmp_path: Path) -> None:
    written(tmp_path / "gcvs.parquet", GCVS)
    before = _bound(tmp_path)["gcvs"].version
    written(tmp_path / "gcvs.parquet", {name: cells[:2] for name, cells in GCVS.items()})
    after = _bound(tmp_path)["gcvs"].version
    assert before.startswith("1+")
    assert after.startswith("1+")
    assert before != after
    assert _bound(tmp_path)["vsx"].version == "1"


def test_other_modules_are_left_as_they_are(tmp_path: Path) -> None:
    other = Module("other", "1", (), (), len)
    assert with_catalogues([other], tmp_path, tmp_path) == [other]


def test_a_module_travels_without_its_catalogue(modules: dict[str, Module]) -> None:
    for module in modules.values():
        packed = pickle.dumps(module)
        assert len(packed) < 2000
        assert pickle.loads(packed) == module
    again = pickle.loads(pickle.dumps(modules["gcvs"]))
    assert _matched(again, [10.0], [1.0]) == {"gcvs": ["RRAB"]}


def test_every_catalogue_has_a_module_and_columns_of_its_own() -> None:
    assert sorted(module.name for module in MODULES) == [catalogue.name for catalogue in catalogues()]
    known = {catalogue.name: {column.name for column in catalogue.columns} for catalogue in catalogues()}
    for module in MODULES:
        assert {item.column for item in module.function.given} == known[module.name]  # type: ignore[attr-defined]
        assert all(out.meaning and out.type in PANDAS_TYPES for out in module.outputs)


def test_no_alerts_and_float32_positions_give_columns_of_the_right_types(modules: dict[str, Module]) -> None:
    none = modules["gaia"].function(pd.Series([], dtype="float64"), pd.Series([], dtype="float64"))
    one = modules["gaia"].function(pd.Series([10.0], dtype="float32"), pd.Series([1.0], dtype="float32"))
    types = {"DR3Name": "string", "Plx": "Float32", "e_Plx": "Float32", "gaiaVarFlag": "Int32"}
    assert {name: str(kind) for name, kind in none.dtypes.items()} == types
    assert {name: str(kind) for name, kind in one.dtypes.items()} == types
    assert len(none) == 0


PLACE = st.tuples(
    st.sampled_from([10.0, 20.0, 359.9, 100.0, None, float("nan")]),
    st.sampled_from([1.0, 1.0 + ARCSEC, -45.0, 89.0, 95.0]),
)


@settings(deadline=None, max_examples=15)
@given(alerts=st.lists(PLACE, min_size=1, max_size=12), seed=st.integers(0, 2**32))
def test_a_batch_gives_what_its_alerts_give_one_by_one_in_any_order(
    modules: dict[str, Module], alerts: list[tuple[float | None, float]], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(alerts))
    for name in ("gcvs", "mangrove"):
        together = _matched(modules[name], *map(list, zip(*alerts, strict=True)))
        mixed = _matched(modules[name], *map(list, zip(*[alerts[row] for row in order], strict=True)))
        alone = [_matched(modules[name], [ra], [dec]) for ra, dec in alerts]
        for output, cells in together.items():
            assert mixed[output] == [cells[row] for row in order]
            assert [one[output][0] for one in alone] == cells
