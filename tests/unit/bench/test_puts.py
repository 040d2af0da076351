"""The yardstick puts rows as happybase is told to, and nothing else."""

from __future__ import annotations

from bench.hbase import rows_of, tables_of
from bench.puts import put


class Line:
    """A connection that keeps what each request holds."""

    def __init__(self) -> None:
        self.requests: list[dict[bytes, dict[bytes, bytes]]] = []
        self.held: dict[bytes, dict[bytes, bytes]] = {}

    def tables(self) -> list[bytes]:
        return [b"round_1_archive", b"round_1_archive.class", b"round_1_archive_2", b"ztf"]

    def table(self, _: str) -> Line:
        return self

    def batch(self) -> Request:
        return Request(self)

    def scan(self, **_: object) -> list[tuple[bytes, dict[bytes, bytes]]]:
        return list(self.held.items())


class Request:
    """A batch that is empty at first."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.rows: dict[bytes, dict[bytes, bytes]] = {}

    def put(self, key: bytes, cells: dict[bytes, bytes]) -> None:
        self.rows[key] = cells

    def send(self) -> None:
        self.line.requests.append(self.rows)
        self.line.held |= self.rows


def test_every_row_is_put_once_in_requests_as_large_as_the_archives() -> None:
    rows, line = {b"row_%03d" % place: {b"i:jd": b"%d" % place} for place in range(450)}, Line()
    put(line, "round_1_archive", rows)
    assert [len(request) for request in line.requests] == [200, 200, 50]
    assert line.held == rows


def test_rows_that_describe_a_table_are_none_of_an_alert() -> None:
    line = Line()
    put(line, "round_1_archive", {b"schema_0.1.0_0.2.0": {b"i:jd": b"double"}, b"ZTF18a_2458451.5": {b"i:jd": b"1"}})
    assert list(rows_of(line, "round_1_archive")) == [b"ZTF18a_2458451.5"]


def test_the_tables_of_a_round_are_its_own_and_nobody_elses() -> None:
    assert tables_of(Line(), "round_1_archive") == ["round_1_archive", "round_1_archive.class"]
