"""Science modules again over nights that are past, each night held by its lease meanwhile.

Which modules are meant, and that they can be had; what is done with a night's rows is ``stages.rerun``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.accounts.nights import must_be_closed
from fink_dagster.errors import UserError
from fink_dagster.lake.lake import Lake
from fink_dagster.stages.raw2science import modules_of
from fink_dagster.stages.rerun import TABLE, Rerun, rerun
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.statistics import put_statistics
from fink_dagster.stages.writers import KnownWriters
from fink_dagster.streams.lease import NightLease

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import SparkSession

    from fink_dagster.science.module import Module
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

RUN = "science rerun"
PATIENCE_SECONDS = 5.0
"""For a run that has just ended; one that goes on is not waited for."""


def rerun_nights(
    spark: SparkSession,
    settings: Settings,
    survey: Survey,
    nights: Sequence[Night],
    names: Sequence[str],
    *,
    failed_only: bool,
) -> Iterator[tuple[Night, str, Rerun]]:
    """Run modules on nights, one after the other, and yield what came of each.

    Parameters
    ----------
    spark : SparkSession
        A session of its own.
    settings : Settings
        Where lake, HBase and catalogues are.
    survey : Survey
        Whose nights.
    nights : sequence of Night
        Which, all closed.
    names : sequence of str
        Of modules there are; they run in an order that respects their needs.
    failed_only : bool
        Only where a module failed before or did not run, or where one of them it reads from has changed.

    Raises
    ------
    UserError
        When one of them cannot run on the survey's alerts.
    OperationError
        When somebody else writes a night, or it has been opened.
    TransientError
        When HBase is away.
    """
    lake = Lake(spark, settings, survey)
    lake.create(KnownWriters(lake, survey).reader)
    jvm = int(spark._jvm.java.lang.ProcessHandle.current().pid())
    for night in nights:
        context = NightContext(spark, settings, survey, night, lake)
        able, unfit = modules_of(context, lake.read(TABLE).schema)
        makers = {out.name: module.name for module in able for out in module.outputs}
        lease = NightLease(settings.checkpoints(survey.name, night.key), RUN)
        lease.acquire(jvm, PATIENCE_SECONDS)
        try:
            must_be_closed(lake.reader, survey, night)
            done: dict[str, Rerun] = {}
            for module in _named(names, able, unfit, survey):
                others = [done[maker] for path in module.reads if (maker := makers.get(path)) in done]
                done[module.name] = rerun(context, module, makers, failed_only=failed_only, others=others)
                yield night, module.name, done[module.name]
            put_statistics(context)
        finally:
            lease.release()


def _named(names: Sequence[str], able: Sequence[Module], unfit: dict[str, str], survey: Survey) -> list[Module]:
    for name in names:
        if name not in {module.name for module in able}:
            why = unfit.get(
                name, f"must be able to run on alerts of {survey.name}; it needs other fields; name another"
            )
            message = f"science module {name}: {why}"
            raise UserError(message)
    return [module for module in able if module.name in names]
