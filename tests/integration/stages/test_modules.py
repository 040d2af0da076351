"""Science modules see and give the same, whether Spark brings the alerts or a file does."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fastavro
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.enrich.plan import plan_of
from fink_dagster.science.frame import array_of, batch_of, frame_of, output_type
from fink_dagster.science.module import Limits, Module, Output
from fink_dagster.science.run import STATUS, VERSIONS, run_modules
from fink_dagster.stages.modules import added_by_modules, tallies_in
from fink_dagster.surveys import get_survey
from tests.harmful import crashes, exits, sleeps, takes_8_gib

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pyspark.sql import SparkSession

PLAN = plan_of(get_survey("ztf"))


@pytest.fixture(scope="module")
def alerts(packets: list[bytes]) -> pa.RecordBatch:
    decoded: list[Any] = [next(fastavro.reader(io.BytesIO(packet))) for packet in packets]
    return batch_of(decoded, PLAN.alert)


def _by_spark(spark: SparkSession, file: Path, modules: list[Module]) -> tuple[pa.Table, dict[str, str]]:
    tallies = tallies_in(spark)
    added = added_by_modules(spark.read.parquet(str(file)), modules, tallies, {})
    names = [*(out.name for module in modules for out in module.outputs), STATUS, VERSIONS]
    return added.select(*names).toArrow(), {name: tally.text for name, tally in tallies.value.items() if tally.text}


def test_every_module_gives_the_same_in_spark_and_on_a_file(
    spark: SparkSession, alerts: pa.RecordBatch, tmp_path: Path
) -> None:
    modules = list(PLAN.modules)
    pq.write_table(pa.Table.from_batches([alerts]), tmp_path / "alerts.parquet")
    by_spark, failures = _by_spark(spark, tmp_path / "alerts.parquet", modules)
    ran = run_modules(frame_of(alerts, PLAN.alert, PLAN.paths), modules)

    for out in (out for module in modules for out in module.outputs):
        here = array_of(ran.columns[out.name], output_type(out)).to_pylist()
        assert by_spark.column(out.name).to_pylist() == here, out.name
    assert [dict(cell) for cell in by_spark.column(STATUS).to_pylist()] == ran.status.tolist()
    assert dict(by_spark.column(VERSIONS).to_pylist()[0]) == {module.name: module.version for module in modules}
    assert failures == {}


def test_an_identifier_keeps_its_digits_beside_a_null_and_a_failure_is_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    identifiers = [3361510431415010079, None, 1105402080315015007]
    rows = pa.table({"one": identifiers, "many": [[identifier, None] for identifier in identifiers]})
    pq.write_table(rows, tmp_path / "rows.parquet")
    modules = [
        _same("one", lambda one: one),
        _same("many", lambda many: pd.Series([cell[0] for cell in many], dtype=object)),
    ]
    found, failures = _by_spark(spark, tmp_path / "rows.parquet", [*modules, _same("bad", _fail, of="one")])

    assert found.column("same_one").to_pylist() == identifiers
    assert found.column("same_many").to_pylist() == identifiers
    assert [dict(cell) for cell in found.column(STATUS).to_pylist()] == [{"bad": "raised"}] * 3
    assert failures == {"bad": "ValueError: no such thing"}


@pytest.mark.timeout(1200)
def test_whatever_modules_do_to_their_processes_the_others_give_the_same_and_the_rows_say_why(
    spark: SparkSession, alerts: pa.RecordBatch, tmp_path: Path
) -> None:
    pq.write_table(pa.Table.from_batches([alerts]), tmp_path / "alerts.parquet")
    ends = {"sleeps": sleeps, "exits": exits, "crashes": crashes, "takes_all": takes_8_gib}
    bad = [replace(_same(name, end, of="candid"), alone=True) for name, end in ends.items()]
    bad[0] = replace(bad[0], limits=Limits(seconds=2.0))
    without, _ = _by_spark(spark, tmp_path / "alerts.parquet", list(PLAN.modules))
    among, failures = _by_spark(spark, tmp_path / "alerts.parquet", [*bad, *PLAN.modules])

    codes = {"sleeps": "timeout", "exits": "crashed", "crashes": "crashed", "takes_all": "out_of_memory"}
    assert {name: set(column) for name, column in _codes(among, codes).items()} == {n: {c} for n, c in codes.items()}
    for name in without.column_names:
        if name not in (STATUS, VERSIONS):
            assert among.column(name).equals(without.column(name)), name
    assert [among.column(f"same_{name}").null_count for name in ends] == [len(alerts)] * 4
    assert set(failures) == set(ends)
    assert failures["exits"] == "its process ended with exit code 3"


def _codes(table: pa.Table, names: Iterable[str]) -> dict[str, list[str]]:
    cells = [dict(cell) for cell in table.column(STATUS).to_pylist()]
    return {name: [cell[name] for cell in cells] for name in names}


def _same(name: str, function: Any, of: str = "") -> Module:
    return Module(name, "1", (of or name,), (Output(f"same_{name}", "bigint", "", "."),), function)


def _fail(_: pd.Series) -> pd.Series:
    message = "no such thing"
    raise ValueError(message)
