"""An HBase held in dictionaries, read as happybase reads a real one; and alerts put there as the archive puts them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.rows import row_cells, rows_of_alert, rows_of_points
from fink_dagster.hbase.tables import archive_tables, schema_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fink_dagster.hbase.rows import Cells
    from fink_dagster.hbase.tables import Table
    from fink_dagster.surveys.base import Survey

ADDED = (
    *(("topic", "string"), ("partition", "int"), ("offset", "bigint"), ("roid", "int"), ("is_transient", "boolean")),
    *(("finkclass", "string"), ("cdsxmatch", "string"), ("pixel128", "int"), ("tns", "string")),
    *(("tracklet", "string"), ("brokerEndProcessTimestamp", "timestamp")),
)


@cache
def declared(survey: Survey) -> tuple[Table, ...]:
    """Return the tables of a survey whose science alerts have the columns ``ADDED``."""
    return archive_tables(survey, ADDED)


class FakeTable:
    """Rows by key; how many were given out, and scans that are open, are counted."""

    def __init__(self) -> None:
        self.held: dict[bytes, Cells] = {}
        self.given = 0
        self.open = 0

    def scan(
        self,
        row_start: bytes | None = None,
        row_stop: bytes | None = None,
        columns: Sequence[bytes] | None = None,
        limit: int | None = None,
        reverse: bool = False,
        **_: object,
    ) -> Iterator[tuple[bytes, Cells]]:
        low, high = (row_stop, row_start) if reverse else (row_start, row_stop)
        keys = [key for key in self.held if (low or b"") <= key and (not high or key < high)]
        self.open += 1
        try:
            for key in sorted(keys, reverse=reverse)[:limit]:
                yield from self.rows([key], columns)
        finally:
            self.open -= 1

    def rows(self, keys: Sequence[bytes], columns: Sequence[bytes] | None = None) -> list[tuple[bytes, Cells]]:
        found = []
        for key in keys:
            cells = {name: cell for name, cell in self.held[key].items() if columns is None or name in columns}
            if cells:
                self.given += 1
                found.append((key, cells))
        return found


class FakeHBase:
    """Tables by name, and the connection to them.

    Parameters
    ----------
    survey : Survey
        Whose tables are there, each with its schema row.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.declared = declared(survey)
        self.held = {table.name: FakeTable() for table in self.declared}
        for table in self.declared:
            key, cells = schema_row(table, "0.1.0", "0.2.0")
            self.held[table.name].held[key] = dict(cells)

    def __call__(self, *_: object) -> FakeHBase:
        return self

    def tables(self) -> list[bytes]:
        return [name.encode() for name in self.held]

    def table(self, name: str) -> FakeTable:
        return self.held[name]

    def close(self) -> None:
        """Whoever closes the connection before a scan keeps the server waiting for it."""
        assert not any(table.open for table in self.held.values())

    def put(self, *records: Mapping[str, Any], points: Sequence[Mapping[str, Any]] = ()) -> None:
        """Put alerts, and the points of the last one's history into the table their measurement says."""
        for record in records:
            of_alerts = [table for table in self.declared if table.of_alerts]
            for name, row in rows_of_alert(of_alerts, record, 1).items():
                self.held[name].held[row.key] = dict(row.cells)
            for table in self.declared:
                if table.newest_of_object and record.get("pixel128") is not None:
                    self.put_into(table.name, record)
        for table in (table for table in self.declared if table.history):
            are_rows = [point for point in points if (point.get("magpsf") is None) != bool(table.history.cuts)]
            for row in rows_of_points(self.survey, table, records[-1], are_rows, 1):
                self.held[table.name].held[row.key] = dict(row.cells)

    def put_into(self, name: str, *records: Mapping[str, Any]) -> None:
        """Put records into one table alone, which saves most of the time where there are many."""
        [table] = [table for table in self.declared if table.name == name]
        for record in records:
            key, cells = row_cells(table, record)
            self.held[name].held[key] = dict(cells)
