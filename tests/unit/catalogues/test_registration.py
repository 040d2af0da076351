from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fink_dagster.catalogues import registration
from fink_dagster.catalogues.index import nearest
from fink_dagster.catalogues.known import get_catalogue
from fink_dagster.catalogues.reading import read
from fink_dagster.catalogues.registration import open_index, register
from fink_dagster.errors import OperationError, UserError
from tests.catalogues import GCVS, written


def test_what_lies_in_the_folder_is_registered_and_the_rest_is_not_there(folder: Path, tmp_path: Path) -> None:
    found = register("gcvs", folder, tmp_path / "indexes")
    assert found is not None
    assert (found.file, found.rows) == (folder / "gcvs.parquet", 3)
    assert register("vsx", folder, tmp_path / "indexes") is None
    assert register("gcvs", tmp_path / "no such folder", tmp_path / "indexes") is None


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


def test_a_file_that_goes_away_while_it_is_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    def read_and_removed(*asked: Any) -> Any:
        found = read(*asked)
        (folder / "gcvs.parquet").unlink()
        return found

    monkeypatch.setattr(registration, "read", read_and_removed)
    with pytest.raises(UserError, match=r"catalogue gcvs \(gcvs\.parquet\): must be a file .*; got No such file"):
        register("gcvs", folder, tmp_path / "indexes")


def test_a_damaged_index_is_made_anew(folder: Path, tmp_path: Path) -> None:
    first = register("gcvs", folder, tmp_path / "indexes")
    assert first is not None
    whole = first.index.read_bytes()
    first.index.write_bytes(whole[: len(whole) // 2])
    open_index.cache_clear()
    assert register("gcvs", folder, tmp_path / "indexes") == first
    assert first.index.read_bytes() == whole


@pytest.mark.parametrize(
    ("left", "said"),
    [(Path.unlink, "No such file or directory"), (lambda path: path.write_bytes(b"ARROW1"), "File is too small: 6")],
)
def test_an_index_that_is_not_kept_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path, left: Callable[[Path], Any], said: str
) -> None:
    monkeypatch.setattr(registration, "_forget_older", left)  # the last that is done to it
    with pytest.raises(OperationError, match=f"indexes must take an index; got {said}; set FINK_CACHE"):
        register("gcvs", folder, tmp_path / "indexes")


def test_a_folder_nobody_may_look_into_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    def denied(self: Path) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", denied)  # the superuser may look into any
    with pytest.raises(OperationError, match="must be readable; got Permission denied; mend its rights"):
        register("gcvs", folder, tmp_path / "indexes")


def test_an_index_is_on_the_disk_before_it_has_its_name(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append(("sync", os.fstat(file).st_size)), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append(("name", paths[1])), replace(*paths)))
    registered = register("gcvs", folder, tmp_path / "indexes")
    assert registered is not None
    assert steps == [("sync", registered.index.stat().st_size), ("name", registered.index)]


def test_a_misspelt_catalogue_is_answered_with_the_near_one(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'mangroves'; did you mean 'mangrove'"):
        register("mangroves", folder, tmp_path / "indexes")
    assert get_catalogue("mangrove").radius_arcsec == 60.0


def test_who_lists_catalogues_does_not_wait_for_astropy() -> None:
    program = "import sys, fink_dagster.catalogues.registration; print('astropy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
