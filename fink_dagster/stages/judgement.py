"""Filters inside Spark: their inputs leave as Arrow, once for all of them, and verdicts come back as one column.

Only the columns the filters look at travel to Python. How filters are asked, and how one that fails is kept from the
others, is ``filters.apply``; what becomes of the verdicts is the affair of who asks.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from fink_dagster.filters.apply import judge
from fink_dagster.filters.registry import filters
from fink_dagster.lake.tables import added_columns
from fink_dagster.science.frame import series_of
from fink_dagster.science.registry import modules_for
from fink_dagster.surveys.avro import by_place, has_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.accumulators import Accumulator
    from pyspark.sql import Column

    from fink_dagster.filters.filter import Filter
    from fink_dagster.stages.modules import Tallies
    from fink_dagster.surveys.base import Survey

_NONE: Mapping[str, str] = MappingProxyType({})
_VERDICT = pa.struct([("passed", pa.list_(pa.string())), ("failed", pa.map_(pa.string(), pa.string()))])


def filters_for(survey: Survey) -> list[Filter]:
    """Return the filters that can judge a survey's science alerts: those whose inputs are columns of them."""
    held = _held(survey)
    return [item for item in filters() if all(map(held, item.inputs))]


def absent_inputs(item: Filter, survey: Survey) -> list[str]:
    """Return which inputs of a filter a survey's science alerts do not have; modules that add them bring it alive."""
    held = _held(survey)
    return [path for path in item.inputs if not held(path)]


def _held(survey: Survey) -> Callable[[str], bool]:
    """Return whether science alerts have a path, a part of what a module adds included."""
    schema = by_place(survey.alert_schema)
    added = {column.name for column in added_columns(survey)}
    added |= {f"{out.name}.{field}" for module in modules_for(schema) for out in module.outputs for field in out.fields}
    return lambda path: path in added or has_path(schema, path)


def judgement(
    active: Sequence[Filter], tallies: Accumulator[Tallies] | None = None, off: Mapping[str, str] = _NONE
) -> Column:
    """Return what filters say of an alert, evaluated in one Python call for all of them.

    Parameters
    ----------
    active : sequence of Filter
        Which.
    tallies : Accumulator, optional
        Where workers say what came of asking each filter, as ``modules.tallies_in`` returns it.
    off : mapping
        Filters that are switched off -> why.

    Returns
    -------
    Column
        ``passed``, an array of names, and ``failed``, a map of the filters that could not judge the alert -> why.
    """
    from pyspark.sql import functions as F

    inputs = sorted({path for item in active for path in item.inputs}) or ["night"]
    kind = "passed array<string>, failed map<string,string>"
    return F.arrow_udf(_judge(active, inputs, tallies, off), kind)(*(F.col(path) for path in inputs))


def _judge(
    active: Sequence[Filter], inputs: list[str], tallies: Accumulator[Tallies] | None, off: Mapping[str, str]
) -> Callable[..., pa.Array]:
    late: dict[str, str] = {}

    def run(*columns: pa.Array) -> pa.Array:
        frame = pd.DataFrame({path: series_of(column) for path, column in zip(inputs, columns, strict=True)})
        verdicts = judge(frame, active, {**off, **late})
        if tallies is not None:
            tallies.add(verdicts.tallies)
        # A task has many batches; the patience with one filter for each would add up to an hour.
        late.update({name: tally.text for name, tally in verdicts.tallies.items() if tally.late})
        rows = zip(verdicts.passed, verdicts.failed, strict=True)
        return pa.array([{"passed": names, "failed": list(why.items())} for names, why in rows], _VERDICT)

    # Spark tells the kind of an Arrow function from its annotations, which are text here.
    run.__annotations__ = {"columns": pa.Array, "return": pa.Array}
    return run
