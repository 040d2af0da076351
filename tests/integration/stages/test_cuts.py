"""One survey, one set of cuts, two ways to apply them: Spark's on the stream, numpy's on files."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.stages import raw2science
from fink_dagster.surveys import cuts, get_survey

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAN = float("nan")
RB = [None, NAN, 0.0, float(np.nextafter(np.float32(0.55), np.float32(0))), float(np.float32(0.55)), 1.0]
CANDIDATE = "candidate struct<nbad:int,rb:float,fid:int>"


def test_spark_and_numpy_reject_the_same_alerts_for_the_same_reason(spark: SparkSession) -> None:
    survey = get_survey("ztf")
    alerts = list(itertools.product([None, 0, 1], RB, [None, 1, 2, 3]))
    rows = spark.createDataFrame([(alert,) for alert in alerts], CANDIDATE)
    by_spark = [row.reason for row in rows.select(raw2science.rejection(survey.cuts).alias("reason")).collect()]

    columns = zip(*alerts, strict=True)
    frame = pd.DataFrame(
        {
            f"candidate.{name}": pd.Series(list(values), dtype=kind)
            for name, values, kind in zip(("nbad", "rb", "fid"), columns, ("Int32", "float32", "Int32"), strict=True)
        }
    )
    by_numpy = cuts.rejection(frame, survey.cuts).tolist()

    assert by_numpy == by_spark
    assert set(by_spark) == {None, "nbad", "rb", "fid"}
