"""archive: every science alert of a night as a row of the survey's HBase table, as soon as it is there.

Rows have explicit timestamps and keys made of the alert, so putting one again changes nothing; ``archived`` in the lake
remembers what HBase has acknowledged. Tables and cells are declared in ``hbase.tables``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fink_dagster import __version__
from fink_dagster.hbase.connection import connect, ensure_table
from fink_dagster.hbase.tables import main_table, row_cells, schema_row
from fink_dagster.hbase.writer import Row, put_rows
from fink_dagster.lake.lake import Append
from fink_dagster.lake.tables import added_columns
from fink_dagster.science.registry import science_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from fink_dagster.hbase.connection import Address
    from fink_dagster.hbase.tables import Column as CellColumn
    from fink_dagster.hbase.tables import Table
    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import Survey

NAME = "archive"
VERSION = "brokerEndProcessTimestamp"
"""The column that dates a row's cells: a later processing of an alert wins, an earlier one put again does not."""


class Archive:
    """The stage for one night.

    Parameters
    ----------
    context : NightContext
        The night and what to work with.
    """

    name = NAME

    def __init__(self, context: NightContext) -> None:
        self.context = context
        self.troubles: dict[str, str] = {}
        self.measures: dict[str, int] = {}
        self.table = archive_table(context.survey)
        self._nested = {column.name for column in added_columns(context.survey) if _is_nested(column.type)}
        self._ready = False

    def source(self) -> DataFrame:
        """Return the night's science alerts."""
        return self.context.lake.stream("science_alerts", self.context.night.key)

    def has_rows(self) -> bool:
        """Tell whether rows of the night have been acknowledged."""
        return bool(self.context.lake.reader.count_night("archived", self.context.night.key))

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Put one batch of science alerts and remember that HBase has them."""
        from pyspark.sql import functions as F

        lake, night, identifier = self.context.lake, self.context.night.key, self.context.survey.identifier
        if batch.starts_over:
            rows = lake.not_in(rows, ("archived",), [identifier], f"night = '{night}'")
        named = self.put(rows).withColumns({"night": F.lit(night), "table": F.lit(self.table.name)})
        lake.append("archived", named, Append(NAME, batch.checkpoint, batch.number))

    def put(self, rows: DataFrame) -> DataFrame:
        """Return the key and identifier of science alerts, each once HBase has acknowledged its row."""
        self._prepare()
        identifier = self.context.survey.identifier
        records = rows.select(*(self._value(column).alias(column.name) for column in self.table.columns))
        put = _putter(self.context.settings.hbase, self.table, identifier)
        return records.mapInArrow(put, f"row_key binary, `{identifier}` long")

    def close(self) -> None:
        """Nothing is held; the table is looked for again at the next start."""
        self._ready = False

    def _value(self, column: CellColumn) -> Column:
        from pyspark.sql import functions as F

        return F.to_json(column.path) if column.name in self._nested else F.col(column.path)

    def _prepare(self) -> None:
        """Make the table and its schema row, once a start."""
        if self._ready:
            return
        host, port = self.context.settings.hbase
        connection = connect(host, port)
        try:
            ensure_table(connection, self.table)
        finally:
            connection.close()
        key, cells = schema_row(self.table, __version__, science_version())
        put_rows((host, port), self.table, [Row(key, cells, 1)])
        self._ready = True


def archive_table(survey: Survey) -> Table:
    """Return the HBase table a survey's science alerts go to."""
    added = [(column.name, "string" if _is_nested(column.type) else column.type) for column in added_columns(survey)]
    return main_table(survey, added)


def _putter(
    address: Address, table: Table, identifier: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def put(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            records = batch.to_pylist()
            rows = [_row(table, record) for record in records]
            put_rows(address, table, rows)
            keys, identifiers = [row.key for row in rows], [record[identifier] for record in records]
            arrays = [pa.array(keys, pa.binary()), pa.array(identifiers, pa.int64())]
            yield pa.RecordBatch.from_arrays(arrays, ["row_key", identifier])

    return put


def _row(table: Table, record: dict[str, Any]) -> Row:
    key, cells = row_cells(table, record)
    return Row(key, cells, int(record[VERSION].timestamp() * 1000))


def _is_nested(kind: str) -> bool:
    """Tell whether a column is no scalar, and so JSON text in HBase."""
    return "<" in kind
