from __future__ import annotations

from typing import Any

import pytest

from fink_dagster.accounts.flow import Flow, flow_of
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF
from tests.lake import FakeLakeReader

NIGHT = Night("2020-01-01")
STORED = {"raw_alerts": 9, "quarantine": 2, "science_alerts": 5, "rejected": 3, "duplicates": 1, "archived": 5}


def _flow(waiting: int = 0, counted: int = 5, redriven: int = 0, **stored: int) -> Flow:
    def rows(number: int, **more: Any) -> list[dict[str, Any]]:
        return [{"night": NIGHT.key, **more}] * number + [{"night": "2019-12-31", **more}] * 3

    tables = {name: rows(number) for name, number in {**STORED, **stored}.items()}
    sent = rows(counted, filter="count") + rows(4, filter="sso")
    reader = FakeLakeReader(distributed=sent, **tables)
    return flow_of(reader, ZTF(), NIGHT, waiting, redriven)  # type: ignore[arg-type]


def test_a_night_is_drained_when_nothing_waits_anywhere() -> None:
    assert _flow().drained
    assert {name: stage.passed for name, stage in _flow().stages().items()} == {
        "stream2raw": 9,
        "raw2science": 5,
        "distribution": 5,
        "archive": 5,
    }


def test_what_was_set_aside_does_not_wait() -> None:
    assert (_flow().stream2raw.set_aside, _flow().raw2science.set_aside) == (2, 4)


def test_a_message_that_was_redriven_is_one_message_and_waits_for_nothing() -> None:
    flow = _flow(redriven=1)
    assert (flow.stream2raw.read, flow.stream2raw.set_aside, flow.drained) == (10, 1, True)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("stream2raw", {"waiting": 1}),
        ("raw2science", {"rejected": 2}),
        ("distribution", {"counted": 4}),
        ("archive", {"archived": 4}),
    ],
)
def test_a_night_is_not_drained_while_one_alert_waits_for_a_stage(stage: str, change: dict[str, int]) -> None:
    flow = _flow(**change)
    assert {name for name, passage in flow.stages().items() if passage.waiting} == {stage}
    assert not flow.drained


def test_an_empty_lake_is_drained() -> None:
    assert flow_of(FakeLakeReader(), ZTF(), NIGHT, 0).drained  # type: ignore[arg-type]
