"""Tables split when they are created, on a real HBase: regions, families, and rows in every region."""

from __future__ import annotations

import dataclasses
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fink_dagster.hbase.connection import connect, ensure_tables
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.splitting import absent, create_split, splits_for
from fink_dagster.hbase.tables import Table, archive_tables
from fink_dagster.hbase.writer import put_rows
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from happybase import Connection

    from fink_dagster.settings import Settings

KEYS = [b"ZTF18%07d_2458451.75_%d" % (number % 97, number) for number in range(400)]
SPLITS = splits_for(KEYS, 4)


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    with closing(connect(*settings.hbase)) as opened:
        yield opened


@pytest.fixture
def tables(connection: Connection) -> Iterator[list[Table]]:
    """Two tables that are not there yet, one name each."""
    declared = archive_tables(get_survey("ztf"), [])[0]
    made = [dataclasses.replace(declared, name=f"{name}_{uuid.uuid4().hex[:8]}") for name in ("split", "whole")]
    yield made
    for table in made:
        if table.name.encode() in connection.tables():
            connection.delete_table(table.name, disable=True)


def test_a_table_split_in_four_has_four_regions_and_the_families_of_any_other(
    settings: Settings, connection: Connection, tables: list[Table]
) -> None:
    split, whole = tables
    assert absent(settings.hbase, tables) == tables
    create_split(settings, {split: SPLITS})
    ensure_tables(settings.hbase, tables)
    assert absent(settings.hbase, tables) == []
    bounds = [region["start_key"] for region in connection.table(split.name).regions()]
    assert bounds == [b"", *SPLITS]
    assert len(connection.table(whole.name).regions()) == 1
    assert connection.table(split.name).families() == connection.table(whole.name).families()

    rows = [Row(key, {b"i:objectId": key[:12], b"d:night": b"2018-11-29"}, 1) for key in KEYS]
    assert put_rows(settings.hbase, split, rows) == len(KEYS)
    assert [key for key, _ in connection.table(split.name).scan()] == sorted(KEYS)
    in_regions = [
        len(list(connection.table(split.name).scan(row_start=begin, row_stop=end)))
        for begin, end in zip(bounds, [*SPLITS, None], strict=True)
    ]
    assert in_regions == [100, 100, 100, 100]


@pytest.mark.slow
def test_a_table_that_is_there_is_left_alone_and_several_may_create_one_at_once(
    settings: Settings, connection: Connection, tables: list[Table]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: create_split(settings, {tables[0]: SPLITS}), range(2)))
    put_rows(settings.hbase, tables[0], [Row(b"k", {b"d:night": b"2018-11-29"}, 1)])
    create_split(settings, {tables[0]: [], tables[1]: []})
    assert len(connection.table(tables[0].name).regions()) == 4
    assert connection.table(tables[0].name).row(b"k") == {b"d:night": b"2018-11-29"}
    assert len(connection.table(tables[1].name).regions()) == 1
