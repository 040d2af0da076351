from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fink_dagster.catalogues.index import nearest
from fink_dagster.catalogues.known import get_catalogue
from fink_dagster.catalogues.registration import open_index, register, register_all
from fink_dagster.errors import OperationError, UserError
from tests.catalogues import GCVS, written


def test_what_lies_in_the_folder_is_registered_and_the_rest_is_not_there(folder: Path, tmp_path: Path) -> None:
    found = register_all(folder, tmp_path / "indexes")
    assert list(found) == ["gcvs"]
    assert (found["gcvs"].file, found["gcvs"].rows) == (folder / "gcvs.parquet", 3)
    assert register_all(tmp_path / "no such folder", tmp_path / "indexes") == {}


def test_the_index_holds_the_catalogue_in_the_order_of_its_cells(folder: Path, tmp_path: Path) -> None:
    registered = register("gcvs", folder, tmp_path / "indexes")
    assert registered is not None
    index = open_index(registered.index)
    assert (np.diff(index.cells) >= 0).all()
    found = nearest(index, np.array(GCVS["ra"]), np.array(GCVS["dec"]), 1.0).rows
    assert index.columns.column("VarType").take(found).to_pylist() == ["RRAB", None, "EA/SD"]


def test_an_index_is_a_file_in_memory_and_none_of_the_process(folder: Path, tmp_path: Path) -> None:
    registered = register("gcvs", folder, tmp_path / "indexes")
    assert registered is not None
    index = open_index(registered.index)
    assert not index.ra.flags.owndata
    assert open_index(registered.index) is index
    assert len(pickle.dumps(registered)) < 1000


def test_an_index_is_made_once(folder: Path, tmp_path: Path) -> None:
    first = register("gcvs", folder, tmp_path / "indexes")
    assert first is not None
    made = first.index.stat()
    second = register("gcvs", folder, tmp_path / "indexes")
    assert second == first
    assert first.index.stat() == made


def test_another_file_gets_another_index_and_the_one_of_a_running_night_stays(folder: Path, tmp_path: Path) -> None:
    seen = []
    for number in range(1, 4):
        written(folder / "gcvs.parquet", {name: cells[:number] for name, cells in GCVS.items()})
        registered = register("gcvs", folder, tmp_path / "indexes")
        assert registered is not None
        seen.append(registered)
    assert [one.rows for one in seen] == [1, 2, 3]
    assert len({one.fingerprint for one in seen}) == 3
    assert [one.index.exists() for one in seen] == [False, True, True]


def test_nothing_but_the_index_is_left(folder: Path, tmp_path: Path) -> None:
    register("gcvs", folder, tmp_path / "indexes")
    (folder / "vsx.csv").write_text("no table")
    with pytest.raises(UserError):
        register("vsx", folder, tmp_path / "indexes")
    assert [path.suffix for path in (tmp_path / "indexes").iterdir()] == [".arrow"]


def test_two_files_of_one_catalogue_are_refused(folder: Path, tmp_path: Path) -> None:
    written(folder / "gcvs.csv", GCVS)
    with pytest.raises(UserError, match=r"catalogue gcvs: must be one file; got gcvs\.parquet and gcvs\.csv; remove"):
        register("gcvs", folder, tmp_path / "indexes")


def test_a_place_no_index_can_be_written_to_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("a file")
    with pytest.raises(OperationError, match="indexes must take an index; got File exists; set FINK_CACHE"):
        register("gcvs", folder, tmp_path / "indexes")


def test_a_misspelt_catalogue_is_answered_with_the_near_one(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'mangroves'; did you mean 'mangrove'"):
        register("mangroves", folder, tmp_path / "indexes")
    assert get_catalogue("mangrove").radius_arcsec == 60.0


def test_who_lists_catalogues_does_not_wait_for_astropy() -> None:
    program = "import sys, fink_dagster.catalogues.registration; print('astropy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
