"""Staged rows: written, looked at, and part of the table only when they are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.lake.lake import Append, Lake
from fink_dagster.lake.reading import history, may_hold
from fink_dagster.lake.staging import look, publish, rows_of, stage
from tests.toy import Toy

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings

RAW = "raw_alerts"
FIRST, SECOND = Append("stream2raw", "a", 0), Append("stream2raw", "b", 0)


@pytest.fixture
def lake(request: pytest.FixtureRequest, spark: SparkSession, settings: Settings) -> Lake:
    survey = Toy()
    survey.name = request.node.name[:60]
    made = Lake(spark, settings, survey)
    made.create()
    return made


def alerts(lake: Lake, *identifiers: int, night: str = "2024-05-05") -> DataFrame:
    schema = lake.read(RAW).schema
    known = {"topic": "t", "partition": 0, "night": night, "is_duplicate": False}
    rows = [{**known, lake.survey.identifier: each, "offset": each} for each in identifiers]
    return lake.spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)


def held(lake: Lake) -> list[int]:
    found = lake.reader.rows(RAW, (lake.survey.identifier,))
    return sorted(found[lake.survey.identifier].to_pylist()) if found else []


def test_staged_rows_can_be_read_by_who_staged_them_and_by_nobody_else(lake: Lake) -> None:
    staged = stage(lake, RAW, alerts(lake, 1, 2), FIRST)
    assert sorted(look(lake, staged, ["offset"])["offset"].to_pylist()) == [1, 2]
    assert rows_of(staged, lake.spark).count() == 2
    assert (held(lake), lake.read(RAW).count(), lake.appended(RAW, FIRST)) == ([], 0, False)


def test_published_rows_are_in_the_table_under_the_name_of_their_append(lake: Lake) -> None:
    publish(lake, stage(lake, RAW, alerts(lake, 1, 2), FIRST))
    assert (held(lake), lake.appended(RAW, FIRST), lake.appended(RAW, SECOND)) == ([1, 2], True, False)


def test_rows_staged_before_another_commit_are_published_after_it(lake: Lake) -> None:
    first = stage(lake, RAW, alerts(lake, 1), FIRST)
    second = stage(lake, RAW, alerts(lake, 2, night="2024-05-06"), SECOND)
    publish(lake, second)
    publish(lake, first)
    assert (held(lake), lake.appended(RAW, FIRST), lake.appended(RAW, SECOND)) == ([1, 2], True, True)
    newest, oldest = history(lake.reader.table(RAW))
    assert (may_hold(newest, "2024-05-05"), may_hold(newest, "2024-05-06")) == (True, False)
    assert (may_hold(oldest, "2024-05-05"), may_hold(oldest, "2024-05-06")) == (False, True)


def test_what_a_crash_left_staged_is_never_published(lake: Lake) -> None:
    stage(lake, RAW, alerts(lake, 1, 2), FIRST)
    publish(lake, stage(lake, RAW, alerts(lake, 1, 2), FIRST))
    lake.append(RAW, alerts(lake, 3), SECOND)
    assert held(lake) == [1, 2, 3]


def test_an_append_after_staging_is_seen_at_once(lake: Lake) -> None:
    stage(lake, RAW, alerts(lake, 1), FIRST)
    assert lake.append(RAW, alerts(lake, 2), SECOND)
    assert held(lake) == [2]


def test_a_table_that_does_not_stage_is_refused(lake: Lake) -> None:
    lake.spark.sql(f"ALTER TABLE {lake.name(RAW)} SET TBLPROPERTIES ('write.wap.enabled'='false')")
    with pytest.raises(OperationError, match="so that a batch can be staged"):
        stage(lake, RAW, alerts(lake, 1), FIRST)
    assert held(lake) == []


def test_after_a_write_that_failed_the_session_stages_no_more(lake: Lake) -> None:
    with pytest.raises(Exception, match="offset"):
        stage(lake, RAW, alerts(lake, 1).drop("offset"), FIRST)
    lake.append(RAW, alerts(lake, 2), SECOND)
    assert held(lake) == [2]


def test_staged_rows_are_published_after_a_compaction(lake: Lake) -> None:
    for place in range(6):
        lake.append(RAW, alerts(lake, 10 + place), Append("other", "c", place))
    staged = stage(lake, RAW, alerts(lake, 1), FIRST)
    lake.spark.sql(f"CALL fink.system.rewrite_data_files('{lake.survey.name}.{RAW}')")
    publish(lake, staged)
    assert held(lake) == [1, 10, 11, 12, 13, 14, 15]
    assert lake.appended(RAW, FIRST)


def test_tables_that_are_as_declared_are_left_alone(lake: Lake) -> None:
    before = lake.reader.table(RAW).metadata_location
    lake.create()
    assert lake.reader.table(RAW).metadata_location == before


def test_a_table_older_than_its_declaration_gets_the_properties_it_lacks(lake: Lake) -> None:
    lake.spark.sql(f"ALTER TABLE {lake.name(RAW)} UNSET TBLPROPERTIES ('write.wap.enabled')")
    lake.create()
    publish(lake, stage(lake, RAW, alerts(lake, 1), FIRST))
    assert held(lake) == [1]
