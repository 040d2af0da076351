"""The archive made anew from the lake, night by night, each held by its lease meanwhile.

Which nights are meant is said by who asks; what is done with a night's rows is ``stages.rebuild``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.accounts.nights import must_be_closed
from fink_dagster.lake.lake import Lake
from fink_dagster.stages.rebuild import Rebuilt, rebuild, remove_points
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.statistics import TABLE as STATISTICS
from fink_dagster.stages.statistics import put_statistics
from fink_dagster.stages.writers import KnownWriters
from fink_dagster.streams.lease import NightLease

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

RUN = "archive rebuild"
PATIENCE_SECONDS = 5.0
"""For a run that has just ended; one that goes on is not waited for."""


def rebuild_nights(
    spark: SparkSession, settings: Settings, survey: Survey, nights: Sequence[Night]
) -> Iterator[tuple[Night | None, Rebuilt]]:
    """Rebuild nights, one after the other, and yield what was done; last, without a night, for points of histories.

    Parameters
    ----------
    spark : SparkSession
        A session of its own.
    settings : Settings
        Where lake and HBase are.
    survey : Survey
        Whose nights.
    nights : sequence of Night
        Which, all closed, the earliest first.

    Raises
    ------
    OperationError
        When somebody else writes a night, or it has been opened.
    TransientError
        When HBase is away; the same call again goes on.
    """
    lake = Lake(spark, settings, survey)
    lake.create(KnownWriters(lake, survey).reader)
    jvm = int(spark._jvm.java.lang.ProcessHandle.current().pid())
    for night in nights:
        context = NightContext(spark, settings, survey, night, lake, RUN)
        lease = NightLease(settings.checkpoints(survey.name, night.key), RUN)
        lease.acquire(jvm, PATIENCE_SECONDS)
        try:
            must_be_closed(lake.reader, survey, night)
            done = rebuild(context)
            done.put[STATISTICS.name] += put_statistics(context)
        finally:
            lease.release()
        yield night, done
    yield None, Rebuilt(removed=remove_points(context, nights[0], nights[-1]))
