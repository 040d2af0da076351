from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
    """A night with three quarantined messages, and a run that makes alerts of some of them and then says so."""

    def __init__(self) -> None:
        self.quarantine = [row(offset, code="avro") for offset in range(3)]
        self.raw: list[dict[str, Any]] = []
        self.become: list[dict[str, Any]] = [row(0), row(1, night=NEXT)]
        self.refused = {"truncated": 1}
        self.runs: list[tuple[Run, dict[str, Any] | None]] = []
        self.launched: list[dict[str, Any]] = []
        self.ended = False

    def reader(self, *_: object) -> FakeLakeReader:
        return FakeLakeReader(quarantine=self.quarantine, raw_alerts=self.raw)

    def newest_run(self, *asked: Any) -> Run | None:
        wanted = asked[3] if len(asked) > 3 else None
        return next((run for run, redrive in reversed(self.runs) if wanted in (None, redrive)), None)

    def launch(self, _: object, __: object, night: Night, redrive: dict[str, Any]) -> str:
        self.launched.append({"night": night.key, "redrive": redrive})
        self.runs.append((Run("r", "QUEUED", will_retry=False), redrive))
        return "r"

    def watched(self, *asked: Any) -> Iterator[Run]:
        """Yield the run as it starts, has said what it refused, and has closed its night."""
        run = self.newest_run(*asked[:3], asked[5])
        assert run is not None
        yield run
        self.raw += self.become
        yield replace(run, status="STARTED", refused=self.refused)
        self.ended = True
        yield replace(run, status="SUCCESS", refused=self.refused)

    def redrive(self, **selection: Any) -> Redriven:
        return redrive(Settings(), ZTF(), Selection(NIGHT, **selection), 1.0, lambda _: None)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    made = FakePlatform()
    monkeypatch.setattr(module, "LakeReader", made.reader)
    monkeypatch.setattr(module.orchestrator, "newest_run", made.newest_run)
    monkeypatch.setattr(module.orchestrator, "launch", made.launch)
    monkeypatch.setattr(module, "watched", made.watched)
    return made


def test_the_run_of_the_night_is_told_what_and_what_became_of_it_is_known_before_the_night_is_closed(
    platform: FakePlatform,
) -> None:
    done = platform.redrive()
    assert platform.launched == [{"night": NIGHT, "redrive": {}}]
    assert done == Redriven({NIGHT: 1, NEXT: 1}, 0, {"truncated": 1}, [Night(NIGHT), Night(NEXT)])
    assert not platform.ended


def test_only_what_fits_is_asked_for_and_told_of(platform: FakePlatform) -> None:
    platform.raw, platform.become, platform.refused = [row(0)], [row(1)], {}
    done = platform.redrive(code="avro", topic="t")
    assert platform.launched == [{"night": NIGHT, "redrive": {"code": "avro", "topic": "t"}}]
    assert (done.landed, done.before, done.refused) == ({NIGHT: 1}, 1, {})


def test_what_is_done_already_is_not_asked_for_again_but_its_nights_are_named(platform: FakePlatform) -> None:
    platform.raw = [row(0), row(1, night=NEXT), row(2)]
    assert platform.redrive() == Redriven({}, 3, {}, [Night(NIGHT), Night(NEXT)])
    assert platform.launched == []


def test_nothing_that_fits_is_refused_in_one_sentence(platform: FakePlatform) -> None:
    with pytest.raises(OperationError, match=f"nothing fits night {NIGHT}, code empty; see `fink-dagster quarantine"):
        platform.redrive(code="empty")
    assert platform.launched == []


GOES_ON = [Run("abc", "STARTED", will_retry=False), Run("abc", "FAILURE", will_retry=True)]


@pytest.mark.parametrize("running", GOES_ON)
def test_a_run_that_redrives_the_same_is_joined_while_it_or_its_retry_goes_on(
    platform: FakePlatform, running: Run
) -> None:
    platform.runs = [(running, {"code": "avro"})]
    assert platform.redrive(code="avro").landed == {NIGHT: 1, NEXT: 1}
    assert platform.launched == []


@pytest.mark.parametrize("redriven", [None, {"code": "truncated"}])
@pytest.mark.parametrize("running", GOES_ON)
def test_a_night_that_is_being_streamed_otherwise_is_refused_with_the_way_out(
    platform: FakePlatform, running: Run, redriven: dict[str, Any] | None
) -> None:
    platform.runs = [(Run("old", "SUCCESS", will_retry=False), {"code": "avro"}), (running, redriven)]
    with pytest.raises(OperationError, match=f"run abc streams it; wait with `fink-dagster night {NIGHT}`, or cancel"):
        platform.redrive(code="avro")
    assert platform.launched == []


def test_a_run_that_has_ended_is_not_joined(platform: FakePlatform) -> None:
    platform.runs = [(Run("old", "FAILURE", will_retry=False), {})]
    platform.redrive()
    assert platform.launched == [{"night": NIGHT, "redrive": {}}]
