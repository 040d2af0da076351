"""One stage's query, run as the platform runs it, from its start until nothing is left for it to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.task import must_not_fail
from fink_dagster.accounts.flow import flow_of
from fink_dagster.streams.query import STOP_SECONDS, StageQuery

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.stages.stage import NightContext, Stage

LOOK_SECONDS = 0.1
FLOW_SECONDS = 1.0
"""As often as the platform's own runs look; each look reads the lake and takes from the same cores."""


def run_until(
    context: NightContext, stage: Stage, done: Callable[[StageQuery], bool], *, look_seconds: float = FLOW_SECONDS
) -> float:
    """Run a stage's query until it is done, stop it, and return how long it took to be done [s].

    Parameters
    ----------
    context : NightContext
        The stage's own.
    stage : Stage
        Which.
    done : callable
        Tells by the query whether nothing is left; its cost is part of the time.
    look_seconds : float
        How often it is asked [s].

    Raises
    ------
    OperationError
        When a batch fails, also when it would get through at the next attempt.
    """
    folder = context.settings.checkpoints(context.survey.name, context.night.key) / stage.name
    query = StageQuery(stage, folder, context.settings.trigger_seconds)
    start = time.monotonic()
    query.start()
    try:
        while not done(query):
            time.sleep(look_seconds)
            query.poll()
            must_not_fail({stage.name: query.failure} if query.failure else {})
        return time.monotonic() - start
    finally:
        query.stop(time.monotonic() + STOP_SECONDS)


def has_read(number: int) -> Callable[[StageQuery], bool]:
    """Return what tells whether the newest committed batch ends where a topic of so many messages does."""

    def done(query: StageQuery) -> bool:
        committed = query.checkpoint.committed() if query.checkpoint else {}
        return sum(end for ends in committed.values() for end in ends.values()) >= number

    return done


def is_drained(context: NightContext, stage: Stage) -> Callable[[StageQuery], bool]:
    """Return what tells whether a stage has stored something of every row before it, by the lake."""

    def done(_: StageQuery) -> bool:
        flow = flow_of(context.lake.reader, context.survey, context.night, 0)
        return not flow.stages()[stage.name].waiting

    return done
