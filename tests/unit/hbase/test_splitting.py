from __future__ import annotations

import subprocess
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import TransientError
from fink_dagster.hbase import splitting
from fink_dagster.hbase.splitting import create_split, splits_for
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.settings import Settings
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from pathlib import Path

TABLE = archive_tables(get_survey("ztf"), [])[0]
KEYS = st.lists(st.binary(min_size=1, max_size=8))


@given(KEYS, st.integers(1, 60))
def test_splits_rise_lie_among_the_keys_and_are_fewer_than_the_regions(keys: list[bytes], regions: int) -> None:
    splits = splits_for(keys, regions)
    assert splits == sorted(set(splits))
    assert len(splits) == max(0, min(regions, len(set(keys))) - 1)
    assert all(min(keys) < split <= max(keys) for split in splits)


@given(KEYS, st.integers(1, 60))
def test_every_region_has_as_many_keys_as_another_but_for_one(keys: list[bytes], regions: int) -> None:
    bounds = [b"", *splits_for(keys, regions), b"\xff" * 9]
    held = [sum(begin <= key < end for key in set(keys)) for begin, end in pairwise(bounds)]
    assert max(held) - min(held) <= 1


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(splitting, "jar_paths", lambda *_: [tmp_path / "hbase.jar"])
    monkeypatch.setattr(splitting, "java_command", lambda: "java")
    return Settings(data=tmp_path, hbase_zookeeper_address="there:2181")


def test_tables_that_cannot_be_created_are_one_sentence_and_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **_: Any) -> None:
        said = 'log4j:WARN no appenders\nException in thread "main" java.io.IOException: no ZooKeeper\n\tat Main'
        raise subprocess.CalledProcessError(1, command, stderr=said)

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(
        TransientError, match=r"by way of ZooKeeper at there:2181; got .*Exception: no ZooKeeper; "
    ) as got:
        create_split(settings, {TABLE: []})
    assert len(str(got.value).splitlines()) == 1


def test_a_zookeeper_that_does_not_answer_in_time_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(command: list[str], timeout: float, **_: Any) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(TransientError, match="got none after 300 s"):
        create_split(settings, {TABLE: []})
