"""One stage as one streaming query: started from its checkpoint, watched, and restarted when it fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.stages.stage import Batch
from fink_dagster.streams.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

    from fink_dagster.stages.stage import Stage

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
FAILURES_ALLOWED = 5
"""In a row, for reasons other than an absent service; then the run ends, and the next one has a fresh JVM."""
_AWAY = (TransientError.__name__, "kafka.common.errors.TimeoutException", "kafka.common.errors.DisconnectException")
STOP_SECONDS = 20.0
"""A batch that is being written is let finish; more than the slowest batch takes, less than Dagster's patience."""


@dataclass(frozen=True)
class Rate:
    """How a query is doing: rows of its newest batch, rows a second, seconds since it last finished one."""

    rows: int = 0
    rows_per_second: float = 0.0


class StageQuery:
    """A stage's query, from start to stop.

    Parameters
    ----------
    stage : Stage
        What is done with a batch.
    folder : Path
        Where the checkpoint is, or will be.
    trigger_seconds : float
        Shortest time between two batches.
    """

    def __init__(self, stage: Stage, folder: Path, trigger_seconds: float) -> None:
        self.stage = stage
        self.checkpoint: Checkpoint | None = None
        self.failure: str | None = None
        self._folder = folder
        self._trigger_seconds = trigger_seconds
        self._query: StreamingQuery | None = None
        self._error: BaseException | None = None
        self._failures = 0
        self._faults = 0
        self._restart_at: float | None = None
        self._rate = Rate()

    def start(self) -> None:
        """Start the query, or arrange that it is tried again when a service it needs is away."""
        try:
            self.checkpoint = Checkpoint.open(self._folder, self.stage.has_rows)
            writer = self.stage.source().writeStream.foreachBatch(self._process)
            writer = writer.option("checkpointLocation", str(self._folder)).queryName(self.stage.name)
            self._query = writer.trigger(processingTime=f"{int(self._trigger_seconds * 1000)} milliseconds").start()
            self._restart_at = None
        except TransientError as error:
            self._failed(error)

    def poll(self) -> BaseException | None:
        """Look after the query: restart it when its pause is over; return the error that ended it since last time.

        Raises
        ------
        OperationError
            When it has failed too often for reasons a restart does not cure.
        """
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return None
        if self._query is None or self._query.isActive:
            return None
        ended = self._error or _spark_error(self._query)
        self._query, self._error = None, None
        self._failed(ended)
        return ended

    def rate(self) -> Rate:
        """Return the newest batch's size and speed."""
        progress = self._query.lastProgress if self._query is not None else None
        if progress and progress["numInputRows"]:
            self._rate = Rate(progress["numInputRows"], round(progress.get("processedRowsPerSecond") or 0.0, 1))
        return self._rate

    def stop(self, deadline: float) -> None:
        """Stop the query, its running batch let finish until a deadline (monotonic [s]), and close the stage."""
        query, self._query, self._restart_at = self._query, None, None
        if query is not None:
            while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
                time.sleep(0.1)
            query.stop()
        self.stage.close()

    def _process(self, rows: DataFrame, number: int) -> None:
        assert self.checkpoint is not None
        try:
            self.stage.process(rows, Batch(number, self.checkpoint.identity, self.checkpoint.starts_over))
        except BaseException as error:
            # Spark hands on the text of an error only; what it was decides what happens next.
            self._error = error
            raise
        self._failures, self._faults, self.failure = 0, 0, None

    def _failed(self, error: BaseException) -> None:
        self._failures += 1
        self._faults += not _is_passing(error)
        self.failure = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        if _is_final(error) or self._faults > FAILURES_ALLOWED:
            message = f"{self.stage.name}: must get through its batch; failed {self._failures} times: {self.failure}"
            raise OperationError(message)
        # The exponent is held: after a night without a server the power would no longer be a number.
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
        self._restart_at = time.monotonic() + pause


def _is_passing(error: BaseException) -> bool:
    """Tell whether a service was away; of an error in a Python worker or of Spark's own only the text is left."""
    return isinstance(error, TransientError) or any(sign in str(error) for sign in _AWAY)


def _is_final(error: BaseException) -> bool:
    """Tell whether a restart would be wrong: another run has taken over, say, and must not be shut out in turn."""
    return isinstance(error, OperationError) and not isinstance(error, TransientError)


def _spark_error(query: StreamingQuery) -> BaseException:
    return query.exception() or OperationError("the query ended without an error")
