"""A filter tried on closed nights of the lake: judged as distribution judges, counted and kept, and nothing is sent.

Whether what came of it speaks for the filter is said in ``filters.trial``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.trial import Trial
from fink_dagster.lake.filters import keep_trial
from fink_dagster.stages.judgement import judgement
from fink_dagster.stages.writers import KnownWriters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import DataFrame

    from fink_dagster.filters.filter import Filter
    from fink_dagster.lake.lake import Lake
    from fink_dagster.surveys.base import Night

TABLE = "science_alerts"
EXAMPLES = 5


def tried(lake: Lake, item: Filter, nights: Sequence[Night]) -> Iterator[Trial]:
    """Try a filter on nights, one after the other, and yield what came of each once it is kept.

    Parameters
    ----------
    lake : Lake
        The survey's tables; what they lack is made, so that a night older than a column can be judged too.
    item : Filter
        One that can judge the survey's alerts.
    nights : sequence of Night
        Which, all closed.
    """
    lake.create(KnownWriters(lake, lake.survey).reader)
    for night in nights:
        trial = _on(lake, item, night)
        keep_trial(lake, trial)
        yield trial


def _on(lake: Lake, item: Filter, night: Night) -> Trial:
    from pyspark.sql import functions as F

    judged = _judged(lake, item, night)
    numbers = judged.agg(
        F.count("id").alias("alerts"),
        F.count_if("passes").alias("passed"),
        F.count("error").alias("failed"),
        F.last("error", ignorenulls=True).alias("error"),
    ).collect()[0]
    examples = judged.where("passes").orderBy("id").limit(EXAMPLES).collect()
    return Trial(
        filter=item.name,
        version=item.version,
        night=night.key,
        alerts=numbers["alerts"],
        passed=numbers["passed"],
        failed=numbers["failed"],
        error=" ".join((numbers["error"] or "").split()),
        examples=tuple(row["id"] for row in examples),
    )


def _judged(lake: Lake, item: Filter, night: Night) -> DataFrame:
    """Return of each alert its identifier, whether it passes, and why the filter failed on it."""
    from pyspark.sql import functions as F

    rows = lake.read(TABLE).where(F.col("night") == night.key)
    judged = rows.select(F.col(lake.survey.identifier).alias("id"), judgement([item]).alias("verdict"))
    # Judged once: what is counted and what is shown must be the same verdicts.
    return judged.select(
        "id",
        F.array_contains("verdict.passed", item.name).alias("passes"),
        F.col("verdict.failed")[item.name].alias("error"),
    ).localCheckpoint()
