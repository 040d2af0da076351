"""Rows on a real HBase: what is put twice is there once, reads back as it was, and is counted by night."""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.connection import connect, ensure_tables
from fink_dagster.hbase.nights import count_rows
from fink_dagster.hbase.rows import Row, row_cells
from fink_dagster.hbase.tables import Table, archive_tables, schema_row
from fink_dagster.hbase.writer import put_rows
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from happybase import Connection

    from fink_dagster.settings import Settings

NIGHT, NEXT = Night("2018-11-29"), Night("2018-11-30")
ADDED = [("roid", "int"), ("is_transient", "boolean"), ("brokerIngestTimestamp", "timestamp")]


def _record(number: int, night: Night = NIGHT, **values: Any) -> dict[str, Any]:
    return {
        "objectId": f"ZTF18{number % 7:07d}",
        "candid": 697251920015010010 + number,
        "jd": 2458451.7519213,
        "magpsf": 17.5,
        "night": night.key,
        **values,
    }


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    with closing(connect(*settings.hbase)) as opened:
        yield opened


@pytest.fixture
def table(settings: Settings, connection: Connection) -> Iterator[Table]:
    declared = dataclasses.replace(archive_tables(get_survey("ztf"), ADDED)[0], name=f"ztf_{uuid.uuid4().hex[:8]}")
    # Five versions where the platform keeps one: a second version must not hide behind that.
    connection.create_table(declared.name, {family: {"max_versions": 5} for family in declared.families})
    ensure_tables(settings.hbase, [declared])
    yield declared
    connection.delete_table(declared.name, disable=True)


def _rows(table: Table, count: int, night: Night = NIGHT, **values: Any) -> list[Row]:
    start = 10_000 if night == NEXT else 0
    return [
        Row(*row_cells(table, _record(start + number, night, **values)), 1_543_450_000_000) for number in range(count)
    ]


def test_rows_put_twice_have_one_version(settings: Settings, connection: Connection, table: Table) -> None:
    rows = _rows(table, 450)
    assert put_rows(settings.hbase, table, rows) == put_rows(settings.hbase, table, rows[::-1]) == 450
    assert count_rows(settings.hbase, table, NIGHT) == 450
    versions = connection.table(table.name).cells(rows[0].key, b"i:magpsf", versions=5, include_timestamp=True)
    assert [timestamp for _, timestamp in versions] == [1_543_450_000_000]


def test_values_read_back_as_they_were(settings: Settings, connection: Connection, table: Table) -> None:
    ingested = dt.datetime(2018, 11, 29, 6, 0, 0, 5, tzinfo=dt.UTC)
    record = _record(1, roid=3, is_transient=False, brokerIngestTimestamp=ingested, ssnamenr="é'\" null", fid=2)
    row = Row(*row_cells(table, record), 5)
    put_rows(settings.hbase, table, [row])
    stored = connection.table(table.name).row(row.key)
    assert stored == row.cells
    read = {column.name: decode(stored[column.cell], column.type) for column in table.columns}
    assert read == {column.name: record.get(column.name) for column in table.columns}


def test_a_value_that_became_null_is_gone(settings: Settings, connection: Connection, table: Table) -> None:
    for values, timestamp in (({"roid": 3}, 1), ({"roid": None}, 2)):
        put_rows(settings.hbase, table, [Row(*row_cells(table, _record(1, **values)), timestamp)])
    key, _ = row_cells(table, _record(1))
    assert connection.table(table.name).row(key)[b"d:roid"] == b""


def test_an_old_replay_does_not_win_over_a_newer_value(
    settings: Settings, connection: Connection, table: Table
) -> None:
    for roid, timestamp in ((3, 2), (1, 1)):
        put_rows(settings.hbase, table, [Row(*row_cells(table, _record(1, roid=roid)), timestamp)])
    key, _ = row_cells(table, _record(1))
    assert connection.table(table.name).row(key)[b"d:roid"] == b"\x00\x00\x00\x03"


def test_rows_are_counted_by_night_without_the_schema_row(settings: Settings, table: Table) -> None:
    put_rows(settings.hbase, table, _rows(table, 30) + _rows(table, 12, NEXT))
    put_rows(settings.hbase, table, [Row(*schema_row(table, "0.1.0", "0.1.0"), 1)])
    counts = [count_rows(settings.hbase, table, night) for night in (NIGHT, NEXT, Night("2018-12-01"))]
    assert counts == [30, 12, 0]


def test_alerts_of_an_object_are_found_by_the_prefix_of_their_key(
    settings: Settings, connection: Connection, table: Table
) -> None:
    put_rows(settings.hbase, table, _rows(table, 21))
    found = list(connection.table(table.name).scan(row_prefix=b"ZTF180000003_", columns=[b"i:candid"]))
    assert len(found) == 3


def test_a_table_created_by_several_at_once_is_there_for_all(settings: Settings, connection: Connection) -> None:
    declared = dataclasses.replace(archive_tables(get_survey("ztf"), ADDED)[0], name=f"ztf_{uuid.uuid4().hex[:8]}")

    def create(_: int) -> int:
        ensure_tables(settings.hbase, [declared])
        return put_rows(settings.hbase, declared, _rows(declared, 1))

    try:
        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(create, range(3))) == [1, 1, 1]
        assert count_rows(settings.hbase, declared, NIGHT) == 1
    finally:
        connection.delete_table(declared.name, disable=True)


def test_a_table_without_a_family_is_refused_with_the_way_out(settings: Settings, table: Table) -> None:
    with pytest.raises(OperationError, match="must have families i, d, x; got d, i"):
        ensure_tables(settings.hbase, [dataclasses.replace(table, families=("i", "d", "x"))])


def test_a_table_that_is_not_there_is_an_error_at_once(settings: Settings, table: Table) -> None:
    with pytest.raises(OperationError, match="TableNotFoundException"):
        count_rows(settings.hbase, dataclasses.replace(table, name="absent"), NIGHT)
    family = dataclasses.replace(table.columns[0], family="x")
    with pytest.raises(OperationError, match="NoSuchColumnFamilyException"):
        put_rows(settings.hbase, table, [Row(b"k", {family.cell: b""}, 1)])
