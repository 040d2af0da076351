"""Science modules inside Spark: their inputs leave as Arrow, their outputs come back as columns.

Only the columns the modules ask for travel to Python. How modules run, and how one that fails is kept from the others,
is ``science.run``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from pyspark.accumulators import AccumulatorParam

from fink_dagster.science.failure import TIMEOUT
from fink_dagster.science.frame import array_of, has_field, output_type, series_of
from fink_dagster.science.isolation import processes
from fink_dagster.science.run import STATUS, VERSIONS, run_modules
from fink_dagster.science.switches import Tally, tallies_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.accumulators import Accumulator
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from fink_dagster.science.module import Module

ENDED = "brokerEndProcessTimestamp"
ADDED = "_added"
_TEXTS = "map<string,string>"

Tallies = dict[str, Tally]


class _Sums(AccumulatorParam[Tallies]):
    """What workers say of a module is added up."""

    def zero(self, value: Tallies) -> Tallies:
        return {}

    def addInPlace(self, value1: Tallies, value2: Tallies) -> Tallies:
        value1.update({name: value1.get(name, Tally()) + tally for name, tally in value2.items()})
        return value1


def tallies_in(spark: SparkSession) -> Accumulator[Tallies]:
    """Return where workers say what came of asking each module; a row holds no more than a code."""
    return spark.sparkContext.accumulator({}, _Sums())


def added_by_modules(
    alerts: DataFrame, modules: Sequence[Module], tallies: Accumulator[Tallies], off: Mapping[str, str]
) -> DataFrame:
    """Add what modules give, each asked in a process of its own, and what must be known about it.

    Parameters
    ----------
    alerts : DataFrame
        With the columns the modules need.
    modules : sequence of Module
        In an order that respects their needs.
    tallies : Accumulator
        As :func:`tallies_in` returns it.
    off : mapping
        Modules that are switched off -> why.

    Returns
    -------
    DataFrame
        With the modules' outputs, ``science_versions`` (module -> version), ``science_status`` (module that failed on
        the alert -> code) and the time the modules were done (UTC).
    """
    from pyspark.sql import functions as F

    versions = [F.lit(text) for module in modules for text in (module.name, module.version)]
    added = alerts.withColumn(ADDED, given(alerts.schema, modules, tallies, off))
    return added.select("*", f"{ADDED}.*", F.create_map(*versions).cast(_TEXTS).alias(VERSIONS)).drop(ADDED)


def given(
    alerts: StructType, modules: Sequence[Module], tallies: Accumulator[Tallies], off: Mapping[str, str]
) -> Column:
    """Return, as one column of records, what :func:`added_by_modules` adds but the versions."""
    from pyspark.sql import functions as F

    inputs = inputs_of(modules, alerts)
    outputs = [(out.name, out.spark_type) for module in modules for out in module.outputs]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in [*outputs, (STATUS, _TEXTS), (ENDED, "timestamp")])
    run = F.arrow_udf(_runner(modules, inputs, tallies, off), schema)
    # A survey no module can run on still gets status and time; some column must travel to be counted by.
    return run(*([F.col(path) for path in inputs] or [F.col("night")]))


def inputs_of(modules: Sequence[Module], schema: StructType) -> list[str]:
    """Return the paths in the alert the modules read, without what they give each other; optional ones if they are."""
    from pyspark.sql.pandas.types import to_arrow_schema

    held = pa.struct(list(to_arrow_schema(schema)))
    outputs = {out.name for module in modules for out in module.outputs}
    needed = {path for module in modules for path in module.needs}
    optional = {path for module in modules for path in module.optional if has_field(held, path)}
    return sorted((needed | optional) - outputs)


def _runner(
    modules: Sequence[Module], inputs: list[str], tallies: Accumulator[Tallies], off: Mapping[str, str]
) -> Callable[..., pa.Array]:
    late: dict[str, str] = {}

    def run(*columns: pa.Array) -> pa.Array:
        # Spark's own passage to pandas would round an identifier of 18 digits wherever one beside it is null.
        named = zip(inputs or ["night"], columns, strict=True)
        frame = pd.DataFrame({path: series_of(column) for path, column in named})
        ran = run_modules(frame, modules, processes(), {**off, **late})
        tallies.add(tallies_of(ran))
        # A task has many batches; one module's patience for each would add up to an hour.
        late.update({name: failure.text for name, failure in ran.failures.items() if failure.code == TIMEOUT})
        kinds = {out.name: output_type(out) for module in modules for out in module.outputs}
        added = {name: array_of(ran.columns[name], kind) for name, kind in kinds.items()}
        added[STATUS] = pa.array([list(codes.items()) for codes in ran.status], pa.map_(pa.string(), pa.string()))
        added[ENDED] = pa.array([dt.datetime.now(dt.UTC)] * len(ran.status), pa.timestamp("us", "UTC"))
        return pa.StructArray.from_arrays(list(added.values()), names=list(added))

    # Spark tells the kind of an Arrow function from its annotations, which are text here.
    run.__annotations__ = {"columns": pa.Array, "return": pa.Array}
    return run
