from __future__ import annotations

import socket
import time

import pytest

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.hbase import writer
from fink_dagster.hbase.connection import connect
from fink_dagster.hbase.nights import count_rows
from fink_dagster.hbase.rows import Row
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.hbase.writer import BATCH_ROWS, _batches, put_rows
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

TABLE = archive_tables(get_survey("ztf"), [])[0]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_rows_of_one_timestamp_travel_together_and_none_is_lost() -> None:
    rows = [Row(b"%d" % number, {}, 1000 + number % 3) for number in range(2500)]
    batches = list(_batches(iter(rows)))
    assert sorted(row for _, batch in batches for row in batch) == sorted(rows)
    assert all(len(batch) <= BATCH_ROWS and {row.timestamp_ms for row in batch} == {t} for t, batch in batches)
    assert len(batches) == 2 * 3 * 2 + 3


def test_rows_are_read_as_they_are_put() -> None:
    taken = []
    endless = (taken.append(number) or Row(b"%d" % number, {}, 1) for number in iter(int, 1))
    next(_batches(endless))
    assert len(taken) <= 1000


def test_a_server_that_is_not_there_is_named_with_the_way_out(closed_port: int) -> None:
    with pytest.raises(TransientError, match=rf"answer at 127.0.0.1:{closed_port}; none did; .*`make up`"):
        connect("127.0.0.1", closed_port, 2)


def test_rows_that_find_no_server_in_time_can_be_put_again(closed_port: int) -> None:
    with pytest.raises(TransientError, match="none did"):
        put_rows(("127.0.0.1", closed_port), TABLE, [Row(b"k", {b"d:night": b""}, 1)], patience_s=0.5)


def test_a_server_that_is_away_is_asked_several_times_but_not_without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*_: object, **__: object) -> None:
        asked.append(time.monotonic())
        raise ConnectionRefusedError

    monkeypatch.setattr(writer, "Connection", refuse)
    with pytest.raises(TransientError, match="none did"):
        put_rows(("127.0.0.1", 1), TABLE, [Row(b"k", {b"d:night": b""}, 1)], patience_s=3.0)
    # The mean pauses are 0.1, 0.2, 0.4, 0.8 and 1.6 s.
    assert 3 <= len(asked) <= 30
    assert asked[-1] - asked[0] <= 3.5


def test_a_night_that_is_no_date_never_becomes_a_filter(closed_port: int) -> None:
    with pytest.raises(Exception, match="must be a date"):
        count_rows(("127.0.0.1", closed_port), TABLE, Night("x', true) OR ("))


def test_something_else_than_a_thrift_server_is_an_error_and_no_crash() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises((TransientError, OperationError), match="Thrift server"):
            put_rows(mute.getsockname(), TABLE, [Row(b"k", {b"d:night": b""}, 1)], timeout_s=0.5, patience_s=0.5)
