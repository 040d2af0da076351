from __future__ import annotations

import fcntl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fink_dagster.accounts import closing as module
from fink_dagster.accounts.closing import close_night
from fink_dagster.settings import Settings
from fink_dagster.stages.seen import raw_lock
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF

NIGHT = Night("2020-01-01")


class FakeLake:
    """A lake whose raw_alerts get a snapshot of some night each time the books are made, as long as there are any."""

    def __init__(self, folder: Path, *nights: str) -> None:
        self.settings = Settings(data=folder)
        self.survey = ZTF()
        self.reader = self
        self.written: list[str] = []
        self._coming = list(nights)
        self._snapshots = [_snapshot(1, None, NIGHT.key)]

    def table(self, name: str) -> Any:
        newest = self._snapshots[-1].snapshot_id
        metadata = SimpleNamespace(current_snapshot_id=newest)
        return SimpleNamespace(snapshots=lambda: list(self._snapshots), metadata=metadata)

    def account(self, *_: object) -> Any:
        number = len(self._snapshots)
        if self._coming:
            self._snapshots.append(_snapshot(number + 1, number, self._coming.pop(0)))
        return SimpleNamespace(closes=True, raw=number, as_books=lambda: {"raw": number})

    def change(self, _: object, night: str, state: str, *__: object) -> None:
        with raw_lock(self.settings, self.survey).open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.written.append(f"{night} {state}")


def _snapshot(number: int, parent: int | None, night: str) -> Any:
    said = {"partition-summaries-included": "true", f"partitions.night={night}": "added-records=1"}
    summary = SimpleNamespace(additional_properties=said)
    return SimpleNamespace(snapshot_id=number, parent_snapshot_id=parent, summary=summary)


def closed(monkeypatch: pytest.MonkeyPatch, lake: FakeLake) -> Any:
    monkeypatch.setattr(module, "state_of", lambda *_: None)
    monkeypatch.setattr(module, "topics_of", lambda *_: [])
    monkeypatch.setattr(module, "held_by", lambda *_: {})
    monkeypatch.setattr(module, "account_of", lake.account)
    monkeypatch.setattr(module, "change", lake.change)
    return close_night(lake, lake.settings, NIGHT, "r")  # type: ignore[arg-type]


@pytest.mark.parametrize(("coming", "raw"), [((), 1), ((NIGHT.key, NIGHT.key), 3), (("2019-12-31",), 1)])
def test_books_are_made_again_when_alerts_of_the_night_came_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, coming: tuple[str, ...], raw: int
) -> None:
    lake = FakeLake(tmp_path, *coming)
    assert closed(monkeypatch, lake).raw == raw
    assert lake.written == ["2020-01-01 closed"]
