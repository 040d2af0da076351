from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.hbase.amending import amend, remove
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.surveys import get_survey
from tests.unit.hbase.fake import FakeHBase

NOWHERE = ("127.0.0.1", 9)
(TABLE,) = [table for table in archive_tables(get_survey("ztf"), []) if table.name == "ztf.upper"]
RIGHT = Row(b"a", {b"i:jd": b"1", b"d:night": b"n"}, 100)
CELLS = st.dictionaries(st.sampled_from([b"i:jd", b"d:night", b"d:old"]), st.binary(max_size=1))
HELD = st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.tuples(CELLS, st.integers(1, 300)))
WANTED = st.dictionaries(
    st.sampled_from([b"a", b"b", b"c"]),
    st.fixed_dictionaries({b"i:jd": st.binary(max_size=1), b"d:night": st.just(b"n")}),
)


@pytest.fixture
def hbase(monkeypatch: pytest.MonkeyPatch) -> FakeHBase:
    return FakeHBase().install(monkeypatch)


def _values(hbase: FakeHBase) -> dict[bytes, dict[bytes, bytes]]:
    rows = hbase.cells.get(TABLE.name, {})
    return {key: {cell: value for cell, (value, _) in cells.items()} for key, cells in rows.items()}


def test_what_is_right_is_read_and_nothing_else(hbase: FakeHBase) -> None:
    assert amend(NOWHERE, TABLE, [RIGHT]) == 1
    before = dict(hbase.cells[TABLE.name][b"a"])
    hbase.requests.clear()
    assert amend(NOWHERE, TABLE, [RIGHT._replace(timestamp_ms=500)]) == 0
    assert hbase.requests == [f"read {TABLE.name}"]
    assert hbase.cells[TABLE.name][b"a"] == before


def test_a_row_under_a_later_version_than_its_own_is_overwritten(hbase: FakeHBase) -> None:
    hbase.put(TABLE.name, b"a", {b"i:jd": b"9", b"d:night": b"n"}, 700)
    assert amend(NOWHERE, TABLE, [RIGHT]) == 1
    assert _values(hbase) == {b"a": dict(RIGHT.cells)}


def test_a_cell_nobody_declares_any_more_is_deleted_and_may_come_back(hbase: FakeHBase) -> None:
    hbase.put(TABLE.name, b"a", {**RIGHT.cells, b"d:old": b"1"}, 100)
    assert amend(NOWHERE, TABLE, [RIGHT]) == 1
    assert _values(hbase) == {b"a": dict(RIGHT.cells)}
    again = RIGHT._replace(cells={**RIGHT.cells, b"d:old": b"2"})
    amend(NOWHERE, TABLE, [again])
    assert _values(hbase) == {b"a": dict(again.cells)}


def test_a_row_that_was_deleted_under_a_later_version_comes_back(hbase: FakeHBase) -> None:
    hbase.put(TABLE.name, b"a", dict(RIGHT.cells), 900)
    assert remove(NOWHERE, TABLE, [b"a", b"never"]) == 1
    assert _values(hbase) == {}
    hbase.put(TABLE.name, b"a", dict(RIGHT.cells), 100)
    assert _values(hbase) == {}, "the delete hides it"
    assert amend(NOWHERE, TABLE, [RIGHT]) == 1
    assert _values(hbase) == {b"a": dict(RIGHT.cells)}


@given(HELD, st.lists(WANTED, min_size=1, max_size=3), st.sets(st.sampled_from([b"a", b"b", b"c"])))
def test_whatever_was_there_the_rows_are_what_they_should_be(
    held: dict[bytes, tuple[dict[bytes, bytes], int]], wanted: list[dict[bytes, dict[bytes, bytes]]], gone: set[bytes]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hbase = FakeHBase().install(patch)
        for key, (cells, version) in held.items():
            hbase.put(TABLE.name, key, cells, version)
        for rows in wanted:
            remove(NOWHERE, TABLE, gone)
            before = _values(hbase)
            amend(NOWHERE, TABLE, [Row(key, cells, 100) for key, cells in rows.items()])
            assert _values(hbase) == {**before, **rows}
