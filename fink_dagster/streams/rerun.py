"""Science modules again over nights that are past, each night held by its lease meanwhile.

Which nights and modules are meant, and that they can be had; what is done with a night's rows is ``stages.rerun``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.accounts.nights import all_nights
from fink_dagster.errors import OperationError, UserError
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.nights import CLOSED, state_of
from fink_dagster.lake.reading import LakeReader
from fink_dagster.stages.raw2science import modules_of
from fink_dagster.stages.rerun import TABLE, Rerun, rerun
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.writers import KnownWriters
from fink_dagster.streams.lease import NightLease
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import SparkSession

    from fink_dagster.science.module import Module
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

RUN = "science rerun"
PATIENCE_SECONDS = 5.0
"""For a run that has just ended; one that goes on is not waited for."""


def nights_between(settings: Settings, survey: Survey, text: str) -> list[Night]:
    """Return the nights with science alerts that ``A..B`` names, both included; ``A`` alone is that night.

    Raises
    ------
    UserError
        When the text is no such interval.
    OperationError
        When there is no such night, or one of them is not closed.
    """
    first, _, last = text.partition("..")
    begin, end = Night.parse(first), Night.parse(last or first)
    if end.key < begin.key:
        message = f"nights: must end after they begin; got {text[:40]!r}; for example 2018-08-19..2018-11-29"
        raise UserError(message)
    reader = LakeReader(settings, survey.name)
    keys = [key for key in all_nights(reader) if begin.key <= key <= end.key and reader.count_night(TABLE, key)]
    if not keys:
        message = f"nights {text}: one must have science alerts of {survey.name}; see `fink-dagster account --all`"
        raise OperationError(message)
    for key in keys:
        _must_be_closed(reader, survey, key)
    return [Night(key) for key in keys]


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
            _must_be_closed(lake.reader, survey, night.key)
            done: dict[str, Rerun] = {}
            for module in _named(names, able, unfit, survey):
                others = [done[maker] for path in module.reads if (maker := makers.get(path)) in done]
                done[module.name] = rerun(context, module, makers, failed_only=failed_only, others=others)
                yield night, module.name, done[module.name]
        finally:
            lease.release()


def _must_be_closed(reader: LakeReader, survey: Survey, night: str) -> None:
    state = state_of(reader, night)
    if state is None or state.state != CLOSED:
        message = f"night {night} ({survey.name}): must be closed; it is not; run `fink-dagster night {night}` first"
        raise OperationError(message)


def _named(names: Sequence[str], able: Sequence[Module], unfit: dict[str, str], survey: Survey) -> list[Module]:
    for name in names:
        if name not in {module.name for module in able}:
            why = unfit.get(
                name, f"must be able to run on alerts of {survey.name}; it needs other fields; name another"
            )
            message = f"science module {name}: {why}"
            raise UserError(message)
    return [module for module in able if module.name in names]
