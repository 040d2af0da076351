from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fink_dagster.catalogues import fetch
from fink_dagster.catalogues.registration import open_index, register
from fink_dagster.errors import OperationError, TransientError
from tests.catalogues import GCVS, MANGROVE, written

HEADER = "id , 3HSP Source name , BZcat name , R.A. , Dec , FOM\n"
ROW = '1 , "3HSPJ000116.4+293534" , "" , "00 01 16.37" , "-00 35 34.0" , 0.05\n'


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """A package laid out like fink-science, its catalogues tiny."""
    parts = tmp_path / "parts"
    parts.mkdir()
    written(parts / "gcvs.parquet", GCVS)
    written(parts / "mangrove_filtered.parquet", MANGROVE)
    written(parts / "vsx.parquet", {"RAJ2000": [5.0], "DEJ2000": [6.0], "VType": ["MISC   "]})
    (parts / "3hsp.csv").write_text(HEADER + ROW)
    for latitude, name in (("h", "4FGL J0001.2+4741"), ("l", "4FGL J0012.0+7043")):
        columns = {"Source_Name": [name], "RAJ2000": [0.3], "DEJ2000": [47.7 if latitude == "h" else 70.7]}
        written(parts / f"table-4LAC-DR3-{latitude}.fits", columns)
    package = tmp_path / "package.tar.gz"
    with tarfile.open(package, "w:gz") as archive:
        for part in parts.iterdir():
            archive.add(part, fetch._INSIDE + part.name)
        archive.addfile(tarfile.TarInfo("fink-science-7.4.0/setup.py"), io.BytesIO())
    return package


def _take(sdist: Path, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    scratch = folder / ".scratch"
    scratch.mkdir()
    names = fetch.absent(folder)
    fetch.take_out(sdist, names, folder, scratch)
    return names


def test_what_travels_with_the_package_can_be_registered(sdist: Path, tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    taken = _take(sdist, folder)
    assert taken == ["gcvs", "mangrove", "vsx", "x3hsp", "x4lac"]
    found = {name: one for name in taken if (one := register(name, folder, tmp_path / "indexes"))}
    assert {name: one.rows for name, one in found.items()} == {
        "gcvs": 3,
        "mangrove": 2,
        "vsx": 1,
        "x3hsp": 1,
        "x4lac": 2,
    }
    blazar = open_index(found["x3hsp"].index)
    assert (blazar.ra[0], blazar.dec[0]) == pytest.approx((15 * (1 / 60 + 16.37 / 3600), -(35 / 60 + 34 / 3600)))
    assert blazar.columns.column("name").to_pylist() == ["3HSPJ000116.4+293534"]
    assert sorted(open_index(found["x4lac"].index).columns.column("Source_Name").to_pylist()) == [
        "4FGL J0001.2+4741",
        "4FGL J0012.0+7043",
    ]


def test_a_file_that_is_there_is_kept_whatever_its_format(sdist: Path, tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    folder.mkdir()
    written(folder / "vsx.csv", {"RAJ2000": [7.0, 8.0], "DEJ2000": [6.0, 6.0], "VType": ["M", "SR"]})
    assert "vsx" not in _take(sdist, folder)
    newer = register("vsx", folder, tmp_path / "indexes")
    assert newer is not None
    assert newer.rows == 2
    assert fetch.absent(folder) == []


def test_another_package_is_refused(sdist: Path) -> None:
    got = hashlib.sha256(sdist.read_bytes()).hexdigest()
    fetch.must_be_the_package(sdist, got)
    with pytest.raises(OperationError, match=rf"package\.tar\.gz must have sha256 cd4bdd43d405…; got {got[:12]}; take"):
        fetch.must_be_the_package(sdist)
    with pytest.raises(OperationError, match=r"nothing must be fink-science==7\.4\.0; got No such file"):
        fetch.must_be_the_package(sdist.parent / "nothing")


def _pip_says(monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> list[Any]:
    asked: list[Any] = []

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        asked.append((command, how))
        return subprocess.CompletedProcess(command, code, said)

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_a_package_index_that_does_not_answer_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _pip_says(monkeypatch, "WARNING: retrying\nERROR: no route to host\n", 1)
    with pytest.raises(TransientError, match="got ERROR: no route to host; look at the network"):
        fetch.download(tmp_path, {})


def test_a_package_index_that_gives_another_file_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pip_says(monkeypatch, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...\n   Got 1a2b\n", 1)
    with pytest.raises(OperationError, match="the index gives another file; ask who runs your package index"):
        fetch.download(tmp_path, {})


def test_pip_is_given_the_hash_and_keeps_to_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = _pip_says(monkeypatch, "", 0)
    (tmp_path / "fink-science-7.4.0.tar.gz").write_bytes(b"")
    assert fetch.download(tmp_path, {"HOME": "somewhere"}) == tmp_path / "fink-science-7.4.0.tar.gz"
    ((command, how),) = asked
    assert "--require-hashes" in command
    assert fetch.SHA256 in (tmp_path / "wanted.txt").read_text()
    assert how["env"] == {"HOME": "somewhere", "TMPDIR": str(tmp_path)}
