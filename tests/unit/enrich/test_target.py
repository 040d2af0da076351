from __future__ import annotations

from pathlib import Path

import pytest

from fink_dagster.enrich.sources import AVRO, Source
from fink_dagster.enrich.target import target_of
from fink_dagster.errors import UserError
from fink_dagster.surveys import get_survey


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "in" / "night.avro"
    path.parent.mkdir()
    path.touch()
    return Source(path, AVRO, (path,), get_survey("ztf"))


def _names(folder: Path, output: str, source: Source) -> list[str]:
    return [str(file.relative_to(folder)) for file in target_of(folder / output, source).files.values()]


def test_a_parquet_file_has_the_others_beside_it(tmp_path: Path, source: Source) -> None:
    names = _names(tmp_path, "night.v2.parquet", source)
    assert names == ["night.v2.quarantined.parquet", "night.v2.rejected.parquet", "night.v2.parquet"]


def test_any_other_name_is_a_folder(tmp_path: Path, source: Source) -> None:
    assert _names(tmp_path, "out", source) == [
        "out/quarantined.parquet",
        "out/rejected.parquet",
        "out/enriched.parquet",
    ]


@pytest.mark.parametrize("name", ["enriched", "rejected", "quarantined"])
def test_what_is_there_is_replaced_only_when_asked(tmp_path: Path, source: Source, name: str) -> None:
    (tmp_path / "out").mkdir()
    target_of(tmp_path / "out", source)
    (tmp_path / "out" / f"{name}.parquet").touch()
    with pytest.raises(UserError, match=f"must not be there yet; got {name}.parquet; name another, or add --overwrite"):
        target_of(tmp_path / "out", source)
    target_of(tmp_path / "out", source, overwrite=True)


def test_a_folder_named_like_a_file_is_never_replaced(tmp_path: Path, source: Source) -> None:
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(UserError, match=r"got a.parquet"):
        target_of(tmp_path / "a.parquet", source, overwrite=True)


def test_a_file_is_not_taken_for_a_folder(tmp_path: Path, source: Source) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"output 'notes.txt': must be a .parquet file or a folder; got another file"):
        target_of(tmp_path / "notes.txt", source)


@pytest.mark.parametrize("output", ["no/such/place", "none/out.parquet/a"])
def test_the_folder_above_must_be_there(tmp_path: Path, source: Source, output: str) -> None:
    with pytest.raises(UserError, match="must be in a folder that is there"):
        target_of(tmp_path / output, source)


def test_what_is_read_is_never_written(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "night.parquet"
    path.touch()
    file, whole = (Source(each, AVRO, (path,), get_survey("ztf")) for each in (path, folder))
    for output, source in (
        (path, file),
        (folder / ".." / "in" / "night.parquet", file),
        (folder, whole),
        (folder / "out", whole),
    ):
        with pytest.raises(UserError, match="must be outside of what is read"):
            target_of(output, source, overwrite=True)
    target_of(folder, file)
