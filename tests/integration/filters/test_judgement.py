"""Filters inside Spark: one pass for all of them, whatever some of them do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.filters.filter import ALONE, Filter
from fink_dagster.filters.registry import get_filter
from fink_dagster.science.module import Limits
from fink_dagster.stages.judgement import judgement
from fink_dagster.stages.modules import tallies_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

CANDID = 3367463101415010117
SCHEMA = (
    "candid bigint, roid int, cdsxmatch string, candidate struct<magpsf:float>, night string, "
    "prv_candidates array<struct<magpsf:float>>, lc_features_r struct<linear_fit_slope:double>"
)
ROWS = [
    (CANDID, 3, "Blazar", (17.0,), "n", [(16.0,), (None,)], (0.5,)),
    (CANDID + 1, 2, None, (19.0,), "n", None, None),
    (None, None, "QSO", (None,), "n", [], (None,)),
]


@pytest.fixture
def alerts(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ROWS, SCHEMA).coalesce(1)


def _filter(
    name: str, predicate: Callable[..., Any], *inputs: str, process: str = ALONE, seconds: float = 30
) -> Filter:
    return Filter(name, inputs, predicate, ".", "me", "1", Limits(seconds), process)


def _judged(alerts: DataFrame, *chosen: Filter) -> list[tuple[list[str], dict[str, str]]]:
    rows = alerts.select(judgement(chosen).alias("said")).collect()
    return [(row.said.passed, row.said.failed) for row in rows]


def test_filters_see_columns_parts_of_records_histories_and_identifiers_to_the_last_digit(alerts: DataFrame) -> None:
    chosen = [
        get_filter("blazar"),
        get_filter("sso_fink_candidates"),
        _filter("this", lambda candid: candid == CANDID, "candid", process="worker"),
        _filter("steep", lambda slope: slope > 0.1, "lc_features_r.linear_fit_slope"),
        _filter(
            "was_16",
            lambda history: pd.Series([cell is not None and bool(np.any(cell == 16)) for cell in history]),
            "prv_candidates.magpsf",
        ),
    ]
    assert _judged(alerts, *chosen) == [
        (["blazar", "this", "steep", "was_16"], {}),
        (["sso_fink_candidates"], {}),
        ([], {}),
    ]


def test_all_filters_cost_one_call_of_python_and_one_reading_of_the_table(alerts: DataFrame) -> None:
    chosen = [_filter(f"f{number}", lambda roid: roid > 1, "roid", process="worker") for number in range(20)]
    plan = alerts.select(judgement(chosen).alias("said"))._jdf.queryExecution().executedPlan().toString()
    assert plan.count("ArrowEvalPython") == 1
    assert plan.count("Scan") == 1


def test_what_a_filter_does_to_its_process_costs_itself_alone_and_is_said(
    spark: SparkSession, alerts: DataFrame
) -> None:
    def picky(magnitude: pd.Series) -> pd.Series:
        if (magnitude == 19).any():
            raise ValueError("too faint for me")
        return magnitude > 0

    chosen = [
        _filter("ends", lambda magnitude: os._exit(3), "candidate.magpsf"),
        _filter("hangs", lambda magnitude: __import__("time").sleep(1000), "candidate.magpsf", seconds=1),
        _filter("picky", picky, "candidate.magpsf"),
        get_filter("sso_ztf_candidates"),
    ]
    tallies = tallies_in(spark)
    rows = [row.said for row in alerts.select(judgement(chosen, tallies).alias("said")).collect()]

    assert [row.passed for row in rows] == [["picky", "sso_ztf_candidates"], [], []]
    assert [sorted(row.failed) for row in rows] == [["ends", "hangs"], ["ends", "hangs", "picky"], ["ends", "hangs"]]
    assert rows[0].failed["ends"] == "its process ended with exit code 3"
    assert rows[0].failed["hangs"] == "took more than the 1 s it may; its process was ended"
    assert rows[1].failed["picky"] == "ValueError: too faint for me"
    assert {name: (tally.broken, tally.late) for name, tally in tallies.value.items()} == {
        "ends": (3, False),
        "hangs": (3, True),
        "picky": (1, False),
        "sso_ztf_candidates": (0, False),
    }


def test_a_filter_that_is_off_is_not_asked(alerts: DataFrame) -> None:
    ends = _filter("ends", lambda roid: os._exit(3), "roid")
    rows = alerts.select(judgement([ends], off={"ends": "switched off"}).alias("said")).collect()
    assert [row.said.failed for row in rows] == [{"ends": "switched off"}] * 3


def test_without_filters_every_alert_passes_none(alerts: DataFrame) -> None:
    assert _judged(alerts) == [([], {})] * 3
