"""Science modules inside Spark: their inputs leave as Arrow, their outputs come back as columns.

Only the columns the modules ask for travel to Python; stamps stay in the JVM. How modules run, and how one that fails
is kept from the others, is ``science.run``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pandas as pd

from fink_dagster.science.run import run_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.sql import DataFrame

    from fink_dagster.science.module import Module

STATUS = "science_status"
ENDED = "brokerEndProcessTimestamp"


def added_by_modules(alerts: DataFrame, modules: Sequence[Module]) -> DataFrame:
    """Add the modules' outputs, ``science_status`` (failed module -> reason) and the time they were done (UTC)."""
    from pyspark.sql import functions as F

    inputs = inputs_of(modules)
    outputs = [(out.name, out.type) for module in modules for out in module.outputs]
    kinds = [*outputs, (STATUS, "map<string,string>"), (ENDED, "timestamp")]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in kinds)
    run = F.pandas_udf(_runner(modules, inputs), schema)
    # A survey no module can run on still gets status and time; some column must travel to be counted by.
    columns = [F.col(path) for path in inputs] or [F.col("night")]
    added = alerts.withColumn("_added", run(*columns))
    return added.select("*", "_added.*").drop("_added")


def inputs_of(modules: Sequence[Module]) -> list[str]:
    """Return the paths in the alert the modules need, without what they give each other."""
    given = {out.name for module in modules for out in module.outputs}
    return sorted({path for module in modules for path in module.inputs} - given)


def _runner(modules: Sequence[Module], inputs: list[str]) -> Callable[..., pd.DataFrame]:
    def run(*columns: pd.Series) -> pd.DataFrame:
        frame = pd.DataFrame(dict(zip(inputs or ["night"], columns, strict=True)))
        added, failed = run_modules(frame, modules)
        added[STATUS] = pd.Series([failed] * len(frame), index=added.index, dtype=object)
        added[ENDED] = pd.Timestamp(dt.datetime.now(dt.UTC)).tz_localize(None)
        return added

    # Spark tells the kind of a pandas function from its annotations, which are text here.
    run.__annotations__ = {"columns": pd.Series, "return": pd.DataFrame}
    return run
