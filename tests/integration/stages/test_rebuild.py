"""The archive made anew from the lake: on a real HBase, against one that was built from nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import functions as F

from fink_dagster.hbase.connection import connect
from fink_dagster.lake.lake import Lake
from fink_dagster.stages.archive import ARCHIVED, Archive
from fink_dagster.stages.rebuild import Rebuilt, rebuild, remove_points, replace_rows
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.surveys.base import Night
from tests.integration.stages.archives import drop, enriched, table_names, values, versions
from tests.toy import ztf_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings

NIGHT = Night("2018-08-19")
SCIENCE = "science_alerts"


@pytest.fixture(scope="module")
def survey_context(spark: SparkSession, settings: Settings) -> NightContext:
    survey = ztf_named("rebuilt", index_tables=True)
    lake = Lake(spark, settings, survey)
    lake.create()
    return NightContext(spark, settings, survey, NIGHT, lake)


@pytest.fixture
def context(
    survey_context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> Iterator[NightContext]:
    """A night whose 20 science alerts are in the lake and in HBase; what a test does to either is undone."""
    lake = survey_context.lake
    if not lake.reader.count_night(SCIENCE, NIGHT.key):
        Archive(survey_context).process(enriched(survey_context, batch_of, packets), Batch(0, "archive"))
    before = lake.reader.table(SCIENCE).metadata.current_snapshot_id
    yield survey_context
    _roll_back(survey_context, before)
    _rebuilt(survey_context)


def _roll_back(context: NightContext, snapshot: int) -> None:
    lake = context.lake
    lake.spark.sql(f"CALL fink.system.rollback_to_snapshot('{context.survey.name}.{SCIENCE}', {snapshot})")
    lake.spark.sql(f"REFRESH TABLE {lake.name(SCIENCE)}")


def _rebuilt(context: NightContext) -> Rebuilt:
    done = rebuild(context)
    done.removed.update(remove_points(context, NIGHT, NIGHT))
    return Rebuilt(+done.put, +done.removed)


def _built_from_nothing(context: NightContext) -> dict[str, dict[bytes, dict[bytes, bytes]]]:
    drop(context, *table_names(context))
    Archive(context).put(context.lake.read(SCIENCE)).collect()
    return values(context)


def test_an_archive_that_is_right_is_left_as_it_is(context: NightContext) -> None:
    before, snapshot = versions(context), context.lake.reader.table(ARCHIVED).metadata.current_snapshot_id
    assert _rebuilt(context) == Rebuilt()
    assert versions(context) == before
    assert context.lake.reader.table(ARCHIVED).metadata.current_snapshot_id == snapshot


def test_tables_that_were_dropped_come_back_equal(context: NightContext) -> None:
    before = values(context)
    gone = [f"rebuilt{name}" for name in ("", ".class", ".pixel128", ".pixel128.objects", ".upper")]
    drop(context, *gone)
    done = _rebuilt(context)
    assert values(context) == before
    assert set(done.put) == set(gone) - {"rebuilt.pixel128.objects"}
    assert not done.removed


def test_rows_and_cells_that_are_wrong_are_mended_and_those_of_nothing_go(context: NightContext) -> None:
    before = values(context)
    key, *others = sorted(before["rebuilt"])
    with closing(connect(*context.settings.hbase)) as connection:
        main = connection.table("rebuilt")
        later = 1 + max(version for _, version in versions(context)["rebuilt"][key].values())
        main.put(key, {b"i:magpsf": b"\0\0\0\0", b"d:forgotten": b"1"}, timestamp=later)
        main.put(b"ZTF00ghost_1.0_1", {b"d:night": NIGHT.key.encode(), b"i:jd": b""})
        main.delete(others[0])
        connection.table("rebuilt.class").put(b"Ghost_1.0_a_1", {b"d:night": NIGHT.key.encode()})
        ghost = {b"d:night": NIGHT.key.encode(), b"i:objectId": key.partition(b"_")[0]}
        connection.table("rebuilt.pixel128").put(b"1_2.0_elsewhere", ghost)
        connection.table("rebuilt.upper").put(b"ZTF00ghost_1.0", {b"d:night": b"2018-08-01"})
    done = _rebuilt(context)
    assert values(context) == before
    assert done.put == {"rebuilt": 2}
    assert done.removed == {"rebuilt": 1, "rebuilt.class": 1, "rebuilt.pixel128": 1, "rebuilt.upper": 1}


def test_alerts_that_changed_leave_no_row_under_the_key_they_had(context: NightContext) -> None:
    rows = context.lake.read(SCIENCE)
    replace_rows(context, rows, rows.withColumn("finkclass", F.lit("EB*")))
    found = values(context)
    assert len(found["rebuilt.class"]) == 20
    assert all(key.startswith(b"EB*_") for key in found["rebuilt.class"])
    assert {cells[b"d:finkclass"] for name in ("", ".pixel128") for cells in found[f"rebuilt{name}"].values()} == {
        b"EB*"
    }


def test_a_changed_night_equals_one_built_from_nothing_and_so_does_the_night_as_it_was(context: NightContext) -> None:
    before, lake = values(context), context.lake
    snapshot = lake.reader.table(SCIENCE).metadata.current_snapshot_id
    alerts = sorted(lake.reader.rows(SCIENCE, ("candid",))["candid"].to_pylist())
    gone, other = ", ".join(map(str, alerts[:5])), alerts[5]
    lake.spark.sql(f"DELETE FROM {lake.name(SCIENCE)} WHERE candid IN ({gone})")
    lake.spark.sql(f"UPDATE {lake.name(SCIENCE)} SET finkclass = 'EB*', roid = NULL WHERE candid = {other}")
    done = _rebuilt(context)
    changed = values(context)
    assert done.removed["rebuilt"] == done.removed["rebuilt.pixel128"] == 5
    assert done.removed["rebuilt.class"] == 6
    assert sum(key.startswith(b"EB*_") for key in changed["rebuilt.class"]) == 1
    assert changed["rebuilt"] != before["rebuilt"]
    assert lake.reader.count_night(ARCHIVED, NIGHT.key) == 15
    assert _built_from_nothing(context) == changed

    _roll_back(context, snapshot)
    _rebuilt(context)
    assert values(context) == before
