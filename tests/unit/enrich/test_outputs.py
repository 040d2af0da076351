from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fink_dagster.enrich import outputs
from fink_dagster.enrich.outputs import schemas, written
from fink_dagster.enrich.target import Target
from fink_dagster.errors import OperationError
from fink_dagster.surveys import get_survey

SCHEMAS = schemas(get_survey("ztf"), ())


def _target(folder: Path) -> Target:
    return Target(*(folder / f"{name}.parquet" for name in ("e", "r", "q")))


def _rows(number: int) -> dict[str, list[object]]:
    return {"objectId": ["a"] * number, "candid": list(range(number)), "reason": ["rb"] * number}


def test_files_appear_at_the_end_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = _target(tmp_path / "new")
    with written(target, SCHEMAS) as rows:
        rows["rejected"].add(_rows(2))
        assert not any(file.exists() for file in target.files.values())
    assert sorted(file.name for file in target.enriched.parent.iterdir()) == ["e.parquet", "q.parquet", "r.parquet"]
    assert pq.read_table(target.rejected)["candid"].to_pylist() == [0, 1]


def test_after_a_failure_not_even_the_folder_is_left(tmp_path: Path) -> None:
    def fail() -> None:
        with written(_target(tmp_path / "new"), SCHEMAS) as rows:
            rows["rejected"].add(_rows(2))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_rows_are_gathered_into_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "ROW_GROUP", 10)
    target = _target(tmp_path)
    with written(target, SCHEMAS) as rows:
        for _ in range(9):
            rows["rejected"].add(_rows(3))
    metadata = pq.ParquetFile(target.rejected).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [12, 12, 3]


def test_a_folder_that_takes_no_files_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def write() -> None:
        with written(_target(tmp_path / "file" / "in"), SCHEMAS):
            pass

    with pytest.raises(
        OperationError, match=r"output 'e.parquet': must be writable; the system says 'Not a directory'"
    ):
        write()
