from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fink_dagster.catalogues import reading
from fink_dagster.catalogues.known import get_catalogue
from fink_dagster.catalogues.reading import SUFFIXES, read
from fink_dagster.errors import UserError
from tests.catalogues import GCVS, MANGROVE, written

STATING_UNITS = [".parquet", ".fits", ".vot", ".xml"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str) -> None:
    gcvs = read(get_catalogue("gcvs"), written(tmp_path / f"gcvs{suffix}", GCVS))
    assert gcvs.to_pydict() == {**GCVS, "VarType": ["RRAB", None, "EA/SD"]}
    mangrove = read(get_catalogue("mangrove"), written(tmp_path / f"mangrove{suffix}", MANGROVE))
    assert mangrove.to_pydict() == {**MANGROVE, "2MASS_name": [None, "13154932+4201454"], "lum_dist": [8.5, None]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    many = {name: cells * 2000 for name, cells in GCVS.items()}
    whole = written(tmp_path / f"whole{suffix}", many).read_bytes()
    cut = tmp_path / f"gcvs{suffix}"
    for part in (0.999, 0.5, 0.01, 0.0):
        cut.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(
            UserError, match=r"catalogue gcvs \(gcvs\.\w+\): must .*; got .*; correct it, or"
        ) as refused:
            read(get_catalogue("gcvs"), cut)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_column_is_named_beside_those_found(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"gcvs{suffix}", {"ra": [1.0], "dec": [1.0], "Period": [0.5]})
    with pytest.raises(UserError, match="must have a column VarType or Type; got ra, dec, Period; correct it"):
        read(get_catalogue("gcvs"), path)


@pytest.mark.parametrize("suffix", STATING_UNITS)
def test_a_stated_unit_that_is_another_is_refused(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"gcvs{suffix}", GCVS, {"ra": "rad", "dec": "rad"})
    with pytest.raises(UserError, match="column ra must be in deg; got rad; correct it"):
        read(get_catalogue("gcvs"), path)
    units = {"ra": "deg", "dec": "deg", "lum_dist": "kpc", "ang_dist": "Mpc"}
    path = written(tmp_path / f"mangrove{suffix}", MANGROVE, units)
    with pytest.raises(UserError, match="column lum_dist must be in Mpc; got kpc"):
        read(get_catalogue("mangrove"), path)


@pytest.mark.parametrize("suffix", STATING_UNITS)
def test_the_right_unit_may_be_stated(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"gcvs{suffix}", GCVS, {"ra": "deg", "dec": "deg"})
    assert read(get_catalogue("gcvs"), path).num_rows == 3


def _sky(number: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 360, number), np.degrees(np.arcsin(rng.uniform(-1, 1, number)))


@pytest.mark.parametrize(
    ("ra_scale", "dec_scale", "said"),
    [
        (1 / 15, 1, "column ra must be in deg; got nothing above 23.9"),
        (np.pi / 180, np.pi / 180, "as radians would be"),
        (3600, 3600, "positions must be degrees; got ra from"),
    ],
)
def test_positions_that_are_hours_radians_or_arcseconds_are_seen_without_units(
    tmp_path: Path, ra_scale: float, dec_scale: float, said: str
) -> None:
    ra, dec = _sky()
    path = written(tmp_path / "gcvs.csv", {"ra": ra * ra_scale, "dec": dec * dec_scale, "VarType": ["M"] * len(ra)})
    with pytest.raises(UserError, match=said):
        read(get_catalogue("gcvs"), path)


@pytest.mark.parametrize(("ra_scale", "dec_scale"), [(1, 1), (1 / 15, 1 / 2.1), (1 / 100, 1 / 100)])
def test_a_patch_of_the_sky_is_no_other_unit(tmp_path: Path, ra_scale: float, dec_scale: float) -> None:
    ra, dec = _sky()
    path = written(tmp_path / "gcvs.csv", {"ra": ra * ra_scale, "dec": dec * dec_scale, "VarType": ["M"] * len(ra)})
    assert read(get_catalogue("gcvs"), path).num_rows == len(ra)


def test_a_column_whose_cells_point_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = pa.DictionaryArray.from_arrays(pa.array([0, 9, 0]), pa.array(["M"]), safe=False)
    damaged = pa.table({**GCVS, "VarType": nowhere})
    monkeypatch.setattr(reading, "_opened", lambda *_: ({}, damaged))
    with pytest.raises(UserError, match="column VarType must be a text; got another: Index 9 out of bounds; correct"):
        read(get_catalogue("gcvs"), tmp_path / "gcvs.parquet")


def test_sexagesimal_positions_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "gcvs.csv", {"ra": ["00 01 16.4"], "dec": ["+29 35 34"], "VarType": ["M"]})
    with pytest.raises(UserError, match=r"column ra must be a number \[deg\]; got another: .*00 01 16\.4"):
        read(get_catalogue("gcvs"), path)


@pytest.mark.parametrize("columns", [{**GCVS, "ra": [None] * 3}, {name: [] for name in GCVS}])
def test_a_file_without_a_position_is_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    path = written(tmp_path / "gcvs.csv", columns)
    with pytest.raises(UserError, match="must have sources with a position; got none"):
        read(get_catalogue("gcvs"), path)


def test_sources_without_a_position_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "gcvs.parquet", {**GCVS, "ra": [10.0, float("nan"), None]})
    assert read(get_catalogue("gcvs"), path).to_pydict() == {"ra": [10.0], "dec": [1.0], "VarType": ["RRAB"]}


def test_columns_go_by_the_names_of_vizier_too(tmp_path: Path) -> None:
    columns = {"SPICY": [17, 18], "RAJ2000": [1.0, 2.0], "DEJ2000": [3.0, 4.0], "Class": ["FS", "ClassII"], "x": [0, 0]}
    table = read(get_catalogue("spicy"), written(tmp_path / "spicy.fits", columns))
    assert table.to_pydict() == {"ra": [1.0, 2.0], "dec": [3.0, 4.0], "SPICY": [17, 18], "class": ["FS", "ClassII"]}


def test_gaia_positions_are_those_of_2016(tmp_path: Path) -> None:
    columns = {"RAJ2000": [1.0], "DEJ2000": [2.0], "RA_ICRS": [1.1], "DE_ICRS": [2.1], "Class": ["AGN"]}
    table = read(get_catalogue("gaia_classes"), written(tmp_path / "gaia_classes.vot", columns))
    assert table.to_pydict() == {"ra": [1.1], "dec": [2.1], "Class": ["AGN"]}
