"""Science modules inside Spark: their inputs leave as Arrow, their outputs come back as columns.

Only the columns the modules ask for travel to Python. How modules run, and how one that fails is kept from the others,
is ``science.run``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd
from pyspark.accumulators import AccumulatorParam

from fink_dagster.science.run import run_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.accumulators import Accumulator
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

    from fink_dagster.science.module import Module

STATUS = "science_status"
VERSIONS = "science_versions"
ENDED = "brokerEndProcessTimestamp"

Failures = dict[str, str]


class _Newest(AccumulatorParam[Failures]):
    """Of what workers say of a module, the newest stands."""

    def zero(self, value: Failures) -> Failures:
        return {}

    def addInPlace(self, value1: Failures, value2: Failures) -> Failures:
        value1.update(value2)
        return value1


def failures_in(spark: SparkSession) -> Accumulator[Failures]:
    """Return where workers say what went wrong in a module, a sentence each; a row holds no more than a code."""
    return spark.sparkContext.accumulator({}, _Newest())


def added_by_modules(alerts: DataFrame, modules: Sequence[Module], failures: Accumulator[Failures]) -> DataFrame:
    """Add what modules give, and what must be known about it.

    Parameters
    ----------
    alerts : DataFrame
        With the columns the modules need.
    modules : sequence of Module
        In an order that respects their needs.
    failures : Accumulator
        As :func:`failures_in` returns it.

    Returns
    -------
    DataFrame
        With the modules' outputs, ``science_versions`` (module -> version), ``science_status`` (module that failed on
        the alert -> code) and the time the modules were done (UTC).
    """
    from pyspark.sql import functions as F

    inputs = inputs_of(modules, alerts.schema)
    outputs = [(out.name, out.spark_type) for module in modules for out in module.outputs]
    kinds = [*outputs, (STATUS, "map<string,string>"), (ENDED, "timestamp")]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in kinds)
    run = F.pandas_udf(_runner(modules, inputs, failures), schema)
    # A survey no module can run on still gets status and time; some column must travel to be counted by.
    columns = [F.col(path) for path in inputs] or [F.col("night")]
    versions = [F.lit(text) for module in modules for text in (module.name, module.version)]
    added = alerts.withColumn("_added", run(*columns))
    return added.select("*", "_added.*", F.create_map(*versions).cast("map<string,string>").alias(VERSIONS)).drop(
        "_added"
    )


def inputs_of(modules: Sequence[Module], schema: StructType) -> list[str]:
    """Return the paths in the alert the modules read, without what they give each other; optional ones if they are."""
    given = {out.name for module in modules for out in module.outputs}
    needed = {path for module in modules for path in module.needs}
    optional = {path for module in modules for path in module.optional if _holds(schema, path.split("."))}
    return sorted((needed | optional) - given)


def _holds(kind: DataType, names: list[str]) -> bool:
    """Tell whether a path of names leads somewhere in a type, through arrays as well."""
    from pyspark.sql.types import ArrayType, StructType

    if not names:
        return True
    if isinstance(kind, ArrayType):
        return _holds(kind.elementType, names)
    return isinstance(kind, StructType) and names[0] in kind.names and _holds(kind[names[0]].dataType, names[1:])


def _runner(
    modules: Sequence[Module], inputs: list[str], failures: Accumulator[Failures]
) -> Callable[..., pd.DataFrame]:
    def run(*columns: pd.Series) -> pd.DataFrame:
        ran = run_modules(pd.DataFrame(dict(zip(inputs or ["night"], columns, strict=True))), modules)
        if faults := {name: failure.text for name, failure in ran.failures.items() if failure.is_fault}:
            failures.add(faults)
        added = ran.columns.copy()
        added[STATUS], added[ENDED] = ran.status, pd.Timestamp(dt.datetime.now(dt.UTC)).tz_localize(None)
        return added

    # Spark tells the kind of a pandas function from its annotations, which are text here.
    run.__annotations__ = {"columns": pd.Series, "return": pd.DataFrame}
    return run
