from __future__ import annotations

from typing import Any

import pytest

from fink_dagster.accounts import following as module
from fink_dagster.accounts.following import follow, watched
from fink_dagster.errors import OperationError
from fink_dagster.orchestrator import Run
from fink_dagster.settings import Settings
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF
from tests.lake import FakeLakeReader

NIGHT = Night("2020-01-01")
STARTED, SUCCESS = Run("r", "STARTED", will_retry=False), Run("r", "SUCCESS", will_retry=False)
FAILED, RETRIED = Run("r", "FAILURE", will_retry=False), Run("r", "FAILURE", will_retry=True)


class FakeDagster:
    """Says of the newest run what it is told, one after the other; remembers what was asked for and launched."""

    def __init__(self) -> None:
        self.says: list[Run | None] = []
        self.asked: list[Any] = []
        self.launched = 0

    def newest_run(self, *asked: Any) -> Run | None:
        self.asked.append(asked[3:])
        return self.says.pop(0)

    def launch(self, *_: object) -> str:
        self.launched += 1
        return "r"


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch) -> FakeDagster:
    made = FakeDagster()
    monkeypatch.setattr(module, "LakeReader", lambda *_: FakeLakeReader())
    monkeypatch.setattr(module, "has_news", lambda *_: True)
    monkeypatch.setattr(module, "flow_of", lambda *_, **__: None)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(module.orchestrator, "newest_run", made.newest_run)
    monkeypatch.setattr(module.orchestrator, "launch", made.launch)
    monkeypatch.setattr(module.orchestrator, "why_failed", lambda *_: "it was killed")
    return made


def followed() -> None:
    follow(Settings(), ZTF(), NIGHT, 60.0, lambda _: None)


@pytest.mark.parametrize(("newest", "launched"), [(None, 1), (FAILED, 1), (STARTED, 0), (RETRIED, 0)])
def test_a_run_is_launched_only_beside_none_that_goes_on(
    dagster: FakeDagster, newest: Run | None, launched: int
) -> None:
    dagster.says = [newest, STARTED, SUCCESS]
    followed()
    assert dagster.launched == launched


def test_a_failed_run_is_waited_for_while_its_retry_is_to_come(dagster: FakeDagster) -> None:
    dagster.says = [STARTED, RETRIED, STARTED, SUCCESS]
    followed()
    assert dagster.says == []


def test_a_run_that_failed_for_good_ends_it_with_the_reason(dagster: FakeDagster) -> None:
    dagster.says = [STARTED, FAILED]
    with pytest.raises(OperationError, match="its run must succeed; it was killed"):
        followed()


def test_only_runs_that_redrive_what_is_asked_for_are_watched(dagster: FakeDagster) -> None:
    dagster.says = [None, STARTED, SUCCESS]
    assert list(watched(Settings(), ZTF(), NIGHT, 60.0, lambda _: None, {"code": "avro"})) == [STARTED, SUCCESS]
    assert dagster.asked == [({"code": "avro"},)] * 3
