from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fink_dagster.catalogues import fetch as fetching
from fink_dagster.catalogues import registration
from fink_dagster.catalogues.reading import read
from fink_dagster.commands.catalogues import app
from fink_dagster.errors import OperationError
from tests.catalogues import GCVS, written

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of catalogues of this test alone."""
    made = tmp_path / "catalogues"
    made.mkdir()
    monkeypatch.setenv("FINK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FINK_CATALOGUES", str(made))
    monkeypatch.setenv("COLUMNS", "120")
    return made


def test_every_catalogue_is_listed_with_what_is_there_of_it(folder: Path) -> None:
    written(folder / "gcvs.csv", GCVS)
    said = RUNNER.invoke(app, ["list", "--json"])
    rows = {row["name"]: row for row in json.loads(said.output)}
    assert said.exit_code == 0
    assert [rows["gcvs"][key] for key in ("file", "sources", "radius_arcsec", "epoch", "state")] == [
        str(folder / "gcvs.csv"),
        3,
        1.5,
        "J2000.0",
        "ready",
    ]
    assert {row["state"] for name, row in rows.items() if name != "gcvs"} == {"absent"}


def test_a_refused_catalogue_is_one_sentence_under_the_table_and_exit_code_1(folder: Path) -> None:
    written(folder / "gcvs.csv", GCVS)
    (folder / "vsx.csv").write_text("RAJ2000,DEJ2000\n1,2\n")
    said = RUNNER.invoke(app, ["list"])
    assert said.exit_code == 1
    assert "catalogue vsx (vsx.csv): must have a column VType or Type; got RAJ2000, DEJ2000; correct it" in said.output
    assert [line.split()[1:4:2] for line in said.output.splitlines() if "gcvs.csv" in line] == [["gcvs", "gcvs.csv"]]


def test_a_file_that_goes_away_is_refused_like_any_other(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    written(folder / "gcvs.csv", GCVS)
    monkeypatch.setattr(registration, "read", lambda catalogue, path: (read(catalogue, path), path.unlink())[0])
    said = RUNNER.invoke(app, ["list"])
    assert said.exit_code == 1
    assert "catalogue gcvs (gcvs.csv): must be a file one can index; got No such file or directory;" in said.output


def test_a_file_no_catalogue_is_called_by_is_told(folder: Path) -> None:
    written(folder / "gvcs.csv", GCVS)
    said = RUNNER.invoke(app, ["list"])
    assert (said.exit_code, "gvcs.csv: no catalogue is called so; it is not used" in said.output) == (0, True)


def test_catalogues_that_are_there_are_not_fetched(folder: Path) -> None:
    for name in ("gcvs", "vsx", "mangrove", "x3hsp", "x4lac"):
        (folder / f"{name}.csv").write_text("")
    said = RUNNER.invoke(app, ["fetch"])
    assert (said.exit_code, said.output) == (0, f"catalogues: those of fink-science are in {folder}\n")


def test_another_file_than_the_package_is_refused_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.tar.gz").write_bytes(b"other")
    said = RUNNER.invoke(app, ["fetch", "--from", str(tmp_path / "other.tar.gz")])
    assert isinstance(said.exception, OperationError)
    assert list(folder.iterdir()) == []


def test_what_was_fetched_is_said(monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path) -> None:
    monkeypatch.setattr(fetching, "must_be_the_package", lambda sdist: None)
    monkeypatch.setattr(fetching, "absent", lambda folder: ["gcvs"])
    monkeypatch.setattr(fetching, "take_out", lambda *_: written(folder / "gcvs.parquet", GCVS))
    said = RUNNER.invoke(app, ["fetch", "--from", str(tmp_path / "package.tar.gz")])
    assert said.output == f"gcvs: 3 sources -> {folder / 'gcvs.parquet'}\n"
    assert [path.name for path in folder.iterdir()] == ["gcvs.parquet"]
