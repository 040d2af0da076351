"""A science module again over a night that is closed: its failed and new cells are filled, no other column is touched.

The rows are written to HBase first and to the lake then: where HBase is away nothing has changed, and whatever ends
between the two, the same command does again. Users are not sent anything. Which nights and modules is said by who asks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING

from fink_dagster.lake.tables import COORDINATE
from fink_dagster.science.module import NO_CATALOGUE
from fink_dagster.science.run import STATUS, VERSIONS
from fink_dagster.science.switches import Tally
from fink_dagster.stages.modules import ADDED, given, tallies_in
from fink_dagster.stages.rebuild import remember, replace_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from fink_dagster.science.module import Module
    from fink_dagster.stages.stage import NightContext

TABLE = "science_alerts"
_KEY = [column.name for column in COORDINATE]


@dataclass(frozen=True)
class Rerun:
    """What came of a module on a night.

    Parameters
    ----------
    asked : int
        Alerts it was asked for.
    changed : int
        Alerts whose cells, or the reason they are null, are others now.
    waiting : int
        Alerts it was not asked for, since a module whose columns it reads has failed there.
    failed : Counter
        How many of those asked failed, by code.
    text : str
        What was wrong, in one sentence; empty when nothing was.
    places : DataFrame, optional
        Coordinates of the alerts that changed.
    """

    asked: int
    changed: int
    waiting: int
    failed: Counter[str]
    text: str
    places: DataFrame | None = field(default=None, compare=False, repr=False)


def rerun(
    context: NightContext, module: Module, makers: Mapping[str, str], *, failed_only: bool, others: Sequence[Rerun] = ()
) -> Rerun:
    """Run a module on a closed night's science alerts.

    Parameters
    ----------
    context : NightContext
        The night, held by whoever asks.
    module : Module
        With its catalogue, where it has one.
    makers : mapping
        Column -> module that gives it.
    failed_only : bool
        Only where it failed before, or did not run, or where others have changed.
    others : sequence of Rerun
        Of modules whose columns it reads: where these have changed it is asked too.

    Raises
    ------
    TransientError
        When HBase is away; then nothing has changed.
    """
    from pyspark.sql import functions as F

    rows = context.lake.read(TABLE).where(F.col("night") == context.night.key)
    wanted = _wanted(rows, module.name, others) if failed_only else rows
    is_ready = _ready(module, makers)
    ready, waiting = wanted.where(is_ready), wanted.where(~is_ready).count()
    tallies = tallies_in(context.spark)
    old = [out.name for out in module.outputs]
    answers = ready.select(*_KEY, STATUS, VERSIONS, *old, given(rows.schema, [module], tallies, {}).alias(ADDED))
    # Asked once: what is compared, counted, put and merged must be the same answers.
    answers = answers.localCheckpoint()
    changed = _changed(answers, module)
    number = changed.count()
    if number:
        _write(context, rows, changed, [*old, STATUS, VERSIONS])
    # Also where nothing has changed: a rerun may have been cut off before this.
    remember(context)
    codes = answers.groupBy(F.col(ADDED)[STATUS][module.name].alias("code")).count().collect()
    tally = tallies.value.get(module.name, Tally())
    failed = Counter({row.code: row["count"] for row in codes if row.code})
    return Rerun(tally.asked, number, waiting, failed, tally.text, changed.select(*_KEY))


def _wanted(rows: DataFrame, name: str, others: Sequence[Rerun]) -> DataFrame:
    """Return the alerts on which a module failed or never ran, and those on which others have changed."""
    from pyspark.sql import functions as F

    lacks = F.col(STATUS)[name].isNotNull() | F.col(VERSIONS)[name].isNull()
    places = [other.places for other in others if other.places is not None]
    if not places:
        return rows.where(lacks)
    news = reduce(lambda one, other: one.union(other), places).distinct().withColumn(ADDED, F.lit(True))
    return rows.join(F.broadcast(news), _KEY, "left").where(lacks | F.col(ADDED)).drop(ADDED)


def _ready(module: Module, makers: Mapping[str, str]) -> Column:
    """Return whether the modules a module looks at have given their columns; an optional one may be absent."""
    from pyspark.sql import functions as F

    conditions = [F.lit(True)]
    for path in module.reads:
        if path in makers:
            code, ran = F.col(STATUS)[makers[path]], F.col(VERSIONS)[makers[path]].isNotNull()
            absent = (code == NO_CATALOGUE) | ~ran
            conditions.append((code.isNull() & ran) | (F.coalesce(absent, F.lit(False)) & (path in module.optional)))
    return reduce(lambda one, other: one & other, conditions)


def _changed(answers: DataFrame, module: Module) -> DataFrame:
    """Return the coordinates of alerts for which anything differs, with the columns as they are to be."""
    from pyspark.sql import functions as F

    name, given_now = module.name, F.col(ADDED)
    now = {out.name: given_now[out.name] for out in module.outputs}
    others = {which: F.map_filter(which, lambda key, _: key != name) for which in (STATUS, VERSIONS)}
    now[STATUS] = F.map_concat(others[STATUS], given_now[STATUS])
    now[VERSIONS] = F.map_concat(others[VERSIONS], F.create_map(F.lit(name), F.lit(module.version)))
    same = [F.col(out.name).eqNullSafe(now[out.name]) for out in module.outputs]
    same += [F.col(which)[name].eqNullSafe(now[which][name]) for which in (STATUS, VERSIONS)]
    differs = ~reduce(lambda one, other: one & other, same)
    return answers.where(differs).select(*_KEY, *(column.alias(which) for which, column in now.items()))


def _write(context: NightContext, rows: DataFrame, changed: DataFrame, columns: Sequence[str]) -> None:
    from pyspark.sql import functions as F

    replace_rows(context, rows.join(changed.select(*_KEY), _KEY, "left_semi"), rows.drop(*columns).join(changed, _KEY))
    night = F.lit(context.night.key)
    meets = [F.col(f"{TABLE}.{name}") == F.col(f"new.{name}") for name in _KEY]
    condition = reduce(lambda one, other: one & other, meets, F.col(f"{TABLE}.night") == night)
    merge = changed.alias("new").mergeInto(context.lake.name(TABLE), condition)
    merge.whenMatched().update({f"`{name}`": F.col(f"new.{name}") for name in columns}).merge()
