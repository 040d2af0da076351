from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.stages.stage import Batch
from fink_dagster.streams import query as module
from fink_dagster.streams.query import FAILURES_ALLOWED, LONGEST_PAUSE_SECONDS, StageQuery

AWAY = TransientError("hbase: must answer; it does not; wait")


class FakeQuery:
    """A streaming query: active until a batch fails."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.isActive = True
        self.status = {"isTriggerActive": False}
        self.lastProgress: dict[str, Any] | None = None
        self.number = 0

    def batch(self) -> None:
        """Run one micro-batch as Spark does: an error ends the query, and only its text is handed on."""
        try:
            self.process("rows", self.number)
        except BaseException:  # noqa: BLE001 - as Spark does
            self.isActive = False
        self.number += 1

    def exception(self) -> Exception | None:
        return None

    def stop(self) -> None:
        self.isActive = False


class FakeStage:
    """A stage that fails as told; its source starts :class:`FakeQuery` objects."""

    name = "archive"

    def __init__(self) -> None:
        self.troubles: dict[str, str] = {}
        self.measures: dict[str, int] = {}
        self.errors: list[BaseException | None] = []
        self.source_error: BaseException | None = None
        self.started: list[FakeQuery] = []
        self.batches: list[Batch] = []
        self.closed = False

    def source(self) -> Any:
        if self.source_error is not None:
            raise self.source_error
        return self

    writeStream = property(lambda self: self)

    def foreachBatch(self, process: Any) -> FakeStage:
        self._process = process
        return self

    def option(self, *_: str) -> FakeStage:
        return self

    def queryName(self, _: str) -> FakeStage:
        return self

    def trigger(self, **_: str) -> FakeStage:
        return self

    def start(self) -> FakeQuery:
        self.started.append(FakeQuery(self._process))
        return self.started[-1]

    def has_rows(self) -> bool:
        return True

    def process(self, rows: Any, batch: Batch) -> None:
        self.batches.append(batch)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error

    def close(self) -> None:
        self.closed = True


class Clock:
    """Time as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def stage() -> FakeStage:
    return FakeStage()


@pytest.fixture
def query(stage: FakeStage, clock: Clock, tmp_path: Path) -> StageQuery:
    query = StageQuery(stage, tmp_path / "archive", 1.0)
    query.start()
    return query


def _fails(query: StageQuery, stage: FakeStage, error: BaseException) -> BaseException | None:
    """Let a batch fail and return what the look after it says."""
    stage.errors = [error]
    stage.started[-1].batch()
    return query.poll()


def _back_after(query: StageQuery, stage: FakeStage, clock: Clock) -> float:
    """Return after how many seconds the query was started again."""
    before, since = len(stage.started), clock.now
    while len(stage.started) == before:
        clock.now += 0.5
        query.poll()
        assert clock.now - since < 100
    return clock.now - since


def test_a_batch_carries_its_number_and_its_checkpoint(query: StageQuery, stage: FakeStage) -> None:
    stage.started[0].batch()
    stage.started[0].batch()
    assert query.checkpoint is not None
    assert stage.batches == [Batch(number, query.checkpoint.identity, True) for number in (0, 1)]
    assert query.poll() is None


def test_pauses_before_a_restart_grow_to_a_limit(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    pauses = []
    for _ in range(7):
        assert _fails(query, stage, AWAY) is AWAY
        pauses.append(_back_after(query, stage, clock))
    assert pauses == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_an_absent_service_never_ends_a_query_and_its_batch_is_the_first_to_get_through(
    query: StageQuery, stage: FakeStage, clock: Clock
) -> None:
    pauses = []
    for _ in range(5000):
        _fails(query, stage, AWAY)
        pauses.append(_back_after(query, stage, clock))
    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert sum(pauses) > 40 * 3600
    assert query.failure == str(AWAY)
    stage.started[-1].batch()
    assert query.failure is None
    assert set(stage.batches) == {stage.batches[0]}
    assert len(stage.batches) == 5001


@pytest.mark.parametrize(
    "text",
    [
        "PythonException: fink_dagster.errors.TransientError: hbase: must answer",
        "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment",
    ],
)
def test_an_absent_service_named_in_a_text_alone_is_one_too(
    query: StageQuery, stage: FakeStage, clock: Clock, text: str
) -> None:
    for _ in range(FAILURES_ALLOWED + 3):
        _fails(query, stage, RuntimeError(text))
        _back_after(query, stage, clock)


def test_another_error_ends_it_after_some_in_a_row(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    for _ in range(FAILURES_ALLOWED):
        _fails(query, stage, ValueError("wrong"))
        _back_after(query, stage, clock)
    with pytest.raises(OperationError, match="archive: must get through its batch; failed 6 times: wrong"):
        _fails(query, stage, ValueError("wrong"))


def test_an_absent_service_does_not_count_among_them(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    for error in [AWAY] * (FAILURES_ALLOWED + 5) + [ValueError("wrong")] * FAILURES_ALLOWED:
        _fails(query, stage, error)
        _back_after(query, stage, clock)


def test_a_final_error_ends_it_at_once(query: StageQuery, stage: FakeStage) -> None:
    with pytest.raises(OperationError, match="failed 1 times: kafka night: one run may write this night"):
        _fails(query, stage, OperationError("kafka night: one run may write this night; got another"))


def test_a_batch_that_gets_through_forgets_the_failures(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    for _ in range(3 * FAILURES_ALLOWED):
        _fails(query, stage, ValueError("wrong\nwith a trace"))
        assert query.failure == "wrong"
        assert _back_after(query, stage, clock) == 1
        stage.started[-1].batch()
        assert query.failure is None


def test_a_service_that_is_away_at_the_start_is_tried_again(stage: FakeStage, clock: Clock, tmp_path: Path) -> None:
    stage.source_error = AWAY
    query = StageQuery(stage, tmp_path, 1.0)
    query.start()
    assert query.failure == str(AWAY)
    stage.source_error = None
    _back_after(query, stage, clock)
    assert len(stage.started) == 1


def test_a_query_that_ended_by_itself_ends_the_run(query: StageQuery, stage: FakeStage) -> None:
    stage.started[0].isActive = False
    with pytest.raises(OperationError, match="the query ended without an error"):
        query.poll()


def test_a_running_batch_is_let_finish_until_the_deadline(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    stage.started[0].status["isTriggerActive"] = True
    query.stop(clock.now + 5)
    assert clock.now == pytest.approx(5, abs=0.2)
    assert (stage.started[0].isActive, stage.closed) == (False, True)


def test_a_stopped_query_is_not_restarted(query: StageQuery, stage: FakeStage, clock: Clock) -> None:
    _fails(query, stage, AWAY)
    query.stop(clock.now)
    clock.now += 100
    assert query.poll() is None
    assert len(stage.started) == 1


def test_the_rate_is_that_of_the_newest_batch_with_rows(query: StageQuery, stage: FakeStage) -> None:
    assert query.rate() == module.Rate()
    stage.started[0].lastProgress = {"numInputRows": 30, "processedRowsPerSecond": 12.34}
    assert query.rate() == module.Rate(30, 12.3)
    stage.started[0].lastProgress = {"numInputRows": 0, "processedRowsPerSecond": 0.0}
    assert query.rate() == module.Rate(30, 12.3)
