from __future__ import annotations

import contextlib
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.hbase.objects import Alert, places, places_table, put_newest, remove_objects
from fink_dagster.hbase.tables import Table, archive_tables
from fink_dagster.surveys import get_survey
from tests.unit.hbase.fake import FakeHBase

NOWHERE = ("127.0.0.1", 9)
ADDED = [("pixel128", "int"), ("cdsxmatch", "string"), ("nalerthist", "int"), ("finkclass", "string")]
(TABLE,) = [table for table in archive_tables(get_survey("ztf"), ADDED) if table.newest_of_object]


def alert(name: str, number: int, pixel: int | None, processed: int = 100) -> Alert:
    record = {"objectId": name, "candid": number, "jd": float(number), "jdstarthist": 1.0, "pixel128": pixel}
    return Alert(name, float(number), number, {**record, "night": "2018-08-19"}, processed)


def held(hbase: FakeHBase, table: Table = TABLE) -> dict[bytes, bytes]:
    return {key: cells[b"i:candid"][0] for key, cells in hbase.cells.get(table.name, {}).items()}


@pytest.fixture
def hbase(monkeypatch: pytest.MonkeyPatch) -> FakeHBase:
    return FakeHBase().install(monkeypatch)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_alert_wins_in_whatever_order_alerts_come(hbase: FakeHBase, order: tuple[int, ...]) -> None:
    alerts = [alert("a", 1, 7), alert("a", 2, 8), alert("a", 3, 7)]
    for number in order:
        put_newest(NOWHERE, TABLE, [alerts[number]])
    assert held(hbase) == {b"7_1.0_a": (3).to_bytes(8, "big")}


def test_an_alert_processed_again_replaces_itself_and_an_older_one_does_not_come_back(hbase: FakeHBase) -> None:
    put_newest(NOWHERE, TABLE, [alert("a", 2, 7)])
    assert put_newest(NOWHERE, TABLE, [alert("a", 2, 7)]) == 0
    assert put_newest(NOWHERE, TABLE, [alert("a", 2, 9, processed=50)]) == 1
    assert put_newest(NOWHERE, TABLE, [alert("a", 1, 7, processed=999)]) == 0
    assert held(hbase) == {b"9_1.0_a": (2).to_bytes(8, "big")}


def test_an_alert_without_a_place_on_the_sky_leaves_the_one_before(hbase: FakeHBase) -> None:
    put_newest(NOWHERE, TABLE, [alert("a", 1, 7), alert("a", 2, None)])
    assert held(hbase) == {b"7_1.0_a": (1).to_bytes(8, "big")}


def test_a_move_cut_off_at_any_request_is_finished_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed in range(12):
        with monkeypatch.context() as patch:
            hbase = FakeHBase().install(patch)
            put_newest(NOWHERE, TABLE, [alert("a", 1, 7)])
            hbase.cut_off_after(allowed)
            with contextlib.suppress(KeyboardInterrupt):
                put_newest(NOWHERE, TABLE, [alert("a", 2, 8)])
            hbase.cut_off_after(None)
            put_newest(NOWHERE, TABLE, [alert("a", 2, 8)])
            assert held(hbase) == {b"8_1.0_a": (2).to_bytes(8, "big")}, allowed
            assert places(NOWHERE, TABLE, ["a"])["a"].key == b"8_1.0_a"


def test_a_move_cut_off_leaves_nothing_when_another_night_was_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    for allowed in range(12):
        with monkeypatch.context() as patch:
            hbase = FakeHBase().install(patch)
            put_newest(NOWHERE, TABLE, [alert("a", 1, 7)])
            hbase.cut_off_after(allowed)
            with contextlib.suppress(KeyboardInterrupt):
                put_newest(NOWHERE, TABLE, [alert("a", 2, 8)])
            hbase.cut_off_after(None)
            put_newest(NOWHERE, TABLE, [alert("a", 3, 9)])
            put_newest(NOWHERE, TABLE, [alert("a", 2, 8)])
            assert held(hbase) == {b"9_1.0_a": (3).to_bytes(8, "big")}, allowed


def test_an_object_without_alerts_is_gone_and_may_come_back(hbase: FakeHBase) -> None:
    put_newest(NOWHERE, TABLE, [alert("a", 5, 7), alert("b", 5, 7)])
    assert remove_objects(NOWHERE, TABLE, places(NOWHERE, TABLE, ["a"])) == 1
    assert sorted(held(hbase)) == [b"7_1.0_b"]
    assert sorted(hbase.cells[places_table(TABLE).name]) == [b"b"]
    put_newest(NOWHERE, TABLE, [alert("a", 3, 7)])
    assert sorted(held(hbase)) == [b"7_1.0_a", b"7_1.0_b"]


STREAMS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(1, 6), st.sampled_from([None, 7, 8]), st.integers(1, 9)), max_size=8
)


@given(STREAMS)
def test_every_object_has_one_row_of_its_newest_alert_seen(stream: list[tuple[str, int, int | None, int]]) -> None:
    # An alert has one place, however often it is processed.
    first = {(name, number): pixel for name, number, pixel, _ in reversed(stream)}
    alerts = [alert(name, number, first[name, number], processed) for name, number, _, processed in stream]
    with pytest.MonkeyPatch.context() as patch:
        hbase = FakeHBase().install(patch)
        for each in alerts:
            put_newest(NOWHERE, TABLE, [each])
        there = [each for each in alerts if each.record["pixel128"] is not None]
        newest = {name: max(each.identifier for each in there if each.name == name) for name in {e.name for e in there}}
        wanted = {f"{first[name, number]}_1.0_{name}".encode(): number for name, number in newest.items()}
        assert {key: int.from_bytes(candid, "big") for key, candid in held(hbase).items()} == wanted
