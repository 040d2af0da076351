from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fink_dagster.accounts import redriving as module
from fink_dagster.accounts.redriving import Redriven, redrive
from fink_dagster.errors import OperationError
from fink_dagster.lake.quarantine import Selection
from fink_dagster.orchestrator import Run
from fink_dagster.settings import Settings
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF
from tests.lake import FakeLakeReader

NIGHT, NEXT = "2020-01-01", "2020-01-02"


def row(offset: int, **more: Any) -> dict[str, Any]:
    return {"topic": "t", "partition": 0, "offset": offset, "night": NIGHT, **more}


class FakePlatform:
    """A night with three quarantined messages, and a run that makes alerts of some of them."""

    def __init__(self) -> None:
        self.quarantine = [row(offset, code="avro") for offset in range(3)]
        self.raw: list[dict[str, Any]] = []
        self.become: list[dict[str, Any]] = [row(0), row(1, night=NEXT)]
        self.refused = {"truncated": 1}
        self.running: Run | None = None
        self.launched: list[dict[str, Any]] = []
        self.followed: list[str] = []
        self.shown: list[str] = []

    def reader(self, *_: object) -> FakeLakeReader:
        return FakeLakeReader(quarantine=self.quarantine, raw_alerts=self.raw)

    def newest_run(self, *_: object) -> Run | None:
        return self.running

    def launch(self, _: object, __: object, night: Night, config: dict[str, Any]) -> str:
        self.launched.append({"night": night.key, **config})
        return "r"

    def until_ended(self, *_: object) -> Run:
        self.raw += self.become
        return Run("r", "SUCCESS", will_retry=False, refused=self.refused)

    def follow(self, _: object, __: object, night: Night, *___: object) -> None:
        self.followed.append(night.key)

    @contextmanager
    def progress(self, night: Night) -> Iterator[Callable[..., None]]:
        self.shown.append(night.key)
        yield lambda _: None

    def redrive(self, **selection: Any) -> Redriven:
        return redrive(Settings(), ZTF(), Selection(NIGHT, **selection), 1.0, self.progress)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    made = FakePlatform()
    monkeypatch.setattr(module, "LakeReader", made.reader)
    monkeypatch.setattr(module.orchestrator, "newest_run", made.newest_run)
    monkeypatch.setattr(module.orchestrator, "launch", made.launch)
    monkeypatch.setattr(module, "until_ended", made.until_ended)
    monkeypatch.setattr(module, "follow", made.follow)
    return made


def test_the_run_of_the_night_is_told_what_and_every_night_they_land_in_is_followed(platform: FakePlatform) -> None:
    done = platform.redrive()
    assert platform.launched == [{"night": NIGHT, "redrive": {}}]
    assert platform.followed == [NIGHT, NEXT]
    assert platform.shown == [NIGHT, NIGHT, NEXT]
    assert done == Redriven({NIGHT: 1, NEXT: 1}, 0, {"truncated": 1}, [Night(NIGHT), Night(NEXT)])


def test_only_what_fits_is_asked_for_and_told_of(platform: FakePlatform) -> None:
    platform.raw, platform.become, platform.refused = [row(0)], [row(1)], {}
    done = platform.redrive(code="avro", topic="t")
    assert platform.launched == [{"night": NIGHT, "redrive": {"code": "avro", "topic": "t"}}]
    assert (done.landed, done.before, done.refused) == ({NIGHT: 1}, 1, {})


def test_what_is_done_already_is_not_asked_for_again_but_its_nights_are_followed(platform: FakePlatform) -> None:
    platform.raw = [row(0), row(1, night=NEXT), row(2)]
    assert platform.redrive() == Redriven({}, 3, {}, [Night(NIGHT), Night(NEXT)])
    assert platform.launched == []
    assert platform.followed == [NIGHT, NEXT]


def test_nothing_that_fits_is_refused_in_one_sentence(platform: FakePlatform) -> None:
    with pytest.raises(OperationError, match=f"nothing fits night {NIGHT}, code empty; see"):
        platform.redrive(code="empty")
    assert platform.launched == []


def test_a_night_that_is_being_streamed_is_refused_with_the_way_out(platform: FakePlatform) -> None:
    platform.running = Run("abc", "STARTED", will_retry=False)
    with pytest.raises(OperationError, match=f"run abc streams it; wait with `fink-dagster night {NIGHT}`, or cancel"):
        platform.redrive()
    assert platform.launched == []
