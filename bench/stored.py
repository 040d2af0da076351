"""Science alerts in a lake, put there once by the platform's own stages, for measures of what comes behind them.

Each round reads them under a name of its own: topics, checkpoints and HBase tables are then its own too. Only what the
lake remembers of sending and archiving is everybody's, and forgotten at a round's end.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.leftovers import drop_from_lake, remove_outputs
from bench.queries import has_read, is_drained, run_until
from bench.task import named
from fink_dagster.errors import UserError
from fink_dagster.lake.lake import Lake
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.stream2raw import Stream2Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from bench.task import Task
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night

STORED = "stored"
"""The survey's name in that lake."""
MEMORY = ("distributed", "archived")
"""Tables that remember what was done with science alerts."""


def store(spark: SparkSession, settings: Settings, night: Night, number: int) -> int:
    """Take the messages of a night through the first two stages and return how many science alerts they became.

    Parameters
    ----------
    spark : SparkSession
        One for all measures.
    settings : Settings
        Of the running servers.
    night : Night
        Its only topic holds the messages.
    number : int
        How many messages the topic holds.

    Raises
    ------
    UserError
        When all were rejected, as one alone can be.
    OperationError
        When a batch fails.
    """
    survey = named(STORED)
    lake = Lake(spark, settings, survey)
    lake.create()
    context = NightContext(spark, settings, survey, night, lake)
    run_until(context, Stream2Raw(context), has_read(number))
    science = Raw2Science(context)
    run_until(context, science, is_drained(context, science))
    stored = lake.reader.count_night("science_alerts", night.key)
    if not stored:
        message = f"bench: some messages must become science alerts; got none of {number}; ask for more --messages"
        raise UserError(message)
    return stored


@contextmanager
def nothing_done_yet(task: Task) -> Iterator[NightContext]:
    """Yield the stored alerts as a night nothing was sent or archived of; at the end all that was is forgotten."""
    survey, lake = task.survey(), Lake(task.spark, task.settings, named(STORED))
    lake.create()
    try:
        yield NightContext(task.spark, task.settings, survey, task.night, lake)
    finally:
        drop_from_lake(lake, MEMORY)
        remove_outputs(task.settings, survey.name, task.night)
