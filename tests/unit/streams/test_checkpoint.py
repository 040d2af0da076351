from __future__ import annotations

import json
from pathlib import Path

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.streams.checkpoint import Checkpoint


def _never() -> bool:
    raise AssertionError


def _batch(folder: Path, number: int, ends: dict[str, dict[str, int]], *, done: bool) -> None:
    """Write what Spark writes for a batch: its offsets first, its commit when it is done."""
    metadata = {"batchWatermarkMs": 0, "batchTimestampMs": 1, "conf": {"spark.sql.shuffle.partitions": "2"}}
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "offsets" / str(number)).write_text("\n".join(["v1", json.dumps(metadata), json.dumps(ends)]))
    (folder / "offsets" / f".{number}.crc").write_bytes(b"crc")
    if done:
        (folder / "commits" / str(number)).write_text('v1\n{"nextBatchWatermarkMs":0}')
        (folder / "commits" / f".{number}.crc").write_bytes(b"crc")
    (folder / "metadata").write_text('{"id":"b3a1"}')


def test_a_checkpoint_keeps_its_identity(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path / "raw", lambda: False)
    assert Checkpoint.open(tmp_path / "raw", _never) == first
    assert Checkpoint.open(tmp_path / "other", lambda: False).identity != first.identity


@pytest.mark.parametrize("has_rows", [True, False])
def test_whether_it_starts_over_is_asked_once_and_kept(tmp_path: Path, has_rows: bool) -> None:
    assert Checkpoint.open(tmp_path, lambda: has_rows).starts_over == has_rows
    assert Checkpoint.open(tmp_path, _never).starts_over == has_rows


def test_a_checkpoint_that_was_removed_is_another_one(tmp_path: Path) -> None:
    first = Checkpoint.open(tmp_path, lambda: False)
    (tmp_path / "fink.json").unlink()
    again = Checkpoint.open(tmp_path, lambda: True)
    assert again.identity != first.identity
    assert again.starts_over


def test_offsets_without_the_query_s_identity_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "stream2raw"
    _batch(folder, 0, {"t": {"0": 5}}, done=True)
    (folder / "metadata").unlink()
    with pytest.raises(OperationError, match="checkpoint stream2raw: must have its file 'metadata'; it is gone"):
        Checkpoint.open(folder, _never)


def test_nothing_is_committed_at_first(tmp_path: Path) -> None:
    checkpoint = Checkpoint.open(tmp_path, lambda: False)
    assert checkpoint.committed() == {}
    _batch(tmp_path, 0, {"t": {"0": 5}}, done=False)
    assert checkpoint.committed() == {}


def test_committed_are_the_offsets_of_the_newest_batch_that_is_done(tmp_path: Path) -> None:
    for number in (8, 9, 10):
        _batch(tmp_path, number, {"t": {"0": number, "11": 2}, "u": {"3": 1}}, done=True)
    _batch(tmp_path, 11, {"t": {"0": 99}}, done=False)
    assert Checkpoint.open(tmp_path, lambda: False).committed() == {"t": {0: 10, 11: 2}, "u": {3: 1}}


def test_a_commit_whose_offsets_spark_has_purged_is_passed_over(tmp_path: Path) -> None:
    for number in (1, 2):
        _batch(tmp_path, number, {"t": {"0": number}}, done=True)
    (tmp_path / "offsets" / "2").unlink()
    assert Checkpoint.open(tmp_path, lambda: False).committed() == {"t": {0: 1}}
