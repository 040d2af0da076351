"""Science modules see and give the same, whether Spark brings the alerts or a file does."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.enrich.plan import plan_of
from fink_dagster.science.frame import array_of, batch_of, frame_of, output_type
from fink_dagster.science.module import Module, Output
from fink_dagster.science.run import STATUS, VERSIONS, run_modules
from fink_dagster.stages.modules import added_by_modules, failures_in
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

PLAN = plan_of(get_survey("ztf"))


@pytest.fixture(scope="module")
def alerts(packets: list[bytes]) -> pa.RecordBatch:
    decoded: list[Any] = [next(fastavro.reader(io.BytesIO(packet))) for packet in packets]
    return batch_of(decoded, PLAN.alert)


def _by_spark(spark: SparkSession, file: Path, modules: list[Module]) -> tuple[pa.Table, dict[str, str]]:
    failures = failures_in(spark)
    added = added_by_modules(spark.read.parquet(str(file)), modules, failures)
    names = [*(out.name for module in modules for out in module.outputs), STATUS, VERSIONS]
    return added.select(*names).toArrow(), failures.value


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


def _same(name: str, function: Any, of: str = "") -> Module:
    return Module(name, "1", (of or name,), (Output(f"same_{name}", "bigint", "", "."),), function)


def _fail(_: pd.Series) -> pd.Series:
    message = "no such thing"
    raise ValueError(message)
