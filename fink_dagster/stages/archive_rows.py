"""Science alerts on their way from Spark to the rows of HBase: which columns travel, and what workers do with them.

Tables and rows are declared in ``hbase``; when they are written is said in ``archive`` and ``rebuild``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.objects import alert_of
from fink_dagster.hbase.rows import rows_of_alert, rows_of_points
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.lake.tables import COORDINATE, NIGHT, added_columns
from fink_dagster.stages.raw2science import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from fink_dagster.hbase.objects import Alert
    from fink_dagster.hbase.rows import Row
    from fink_dagster.hbase.tables import Column as CellColumn
    from fink_dagster.hbase.tables import Table
    from fink_dagster.surveys.base import Survey

    Put = Callable[[Table, Sequence[Row]], object]
    """What is done in a worker with some rows of a table."""

VERSION = "brokerEndProcessTimestamp"
"""The column that dates a row's cells: a later processing of an alert wins, an earlier one put again does not."""


def tables_of(survey: Survey) -> tuple[Table, ...]:
    """Return the HBase tables a survey's science alerts go to, the main one first."""
    added = [(column.name, column.type) for column in (*COORDINATE, *added_columns(survey))]
    return archive_tables(survey, [(name, "string" if _is_nested(kind) else kind) for name, kind in added])


def acknowledged(rows: DataFrame, survey: Survey, tables: Sequence[Table], put: Put) -> DataFrame:
    """Return rows of ``archived`` for science alerts, without the night, each once its rows were given to ``put``.

    Parameters
    ----------
    rows : DataFrame
        Science alerts.
    survey : Survey
        Whose alerts.
    tables : sequence of Table
        The main one first. Rows of objects are not made here.
    put : callable
        Called in Spark's workers.
    """
    from pyspark.sql import functions as F

    records = rows.select(*_values(survey, tables[0].columns), *_points(survey, tables))
    kind = f"row_key binary, index_keys map<string,binary>, `{survey.identifier}` long"
    return records.mapInArrow(_putter(survey, tables, put), kind).withColumn("table", F.lit(tables[0].name))


def alerts_in(rows: DataFrame, survey: Survey, table: Table) -> Iterator[Alert]:
    """Yield science alerts, as a table with one row per object holds them."""
    (main, *_) = tables_of(survey)
    names = {name: main.by_name[name] for name in (*main.key, VERSION)}
    columns = {**{column.name: column for column in table.columns}, **names}
    # By way of Arrow, as for the main table: a row of Spark's has times without a zone.
    for record in rows.select(*_values(survey, columns.values())).toArrow().to_pylist():
        yield alert_of(survey, record, _version(record))


def _values(survey: Survey, columns: Iterable[CellColumn]) -> list[Column]:
    from pyspark.sql import functions as F

    nested = {column.name for column in added_columns(survey) if _is_nested(column.type)}
    return [
        (F.to_json(column.path) if column.name in nested else F.col(column.path)).alias(column.name)
        for column in columns
    ]


def _points(survey: Survey, tables: Iterable[Table]) -> list[Column]:
    return [points_of(survey, table).alias(_of_history(table)) for table in tables if table.history]


def points_of(survey: Survey, table: Table) -> Column:
    """Return those points of an alert's history that are rows of a table: an array of records, or null."""
    from pyspark.sql import functions as F

    history = table.history
    assert history is not None
    points = F.col(history.path)

    def is_row(point: Column) -> Column:
        good = F.lit(True)
        for cut in history.cuts:
            good = good & holds(point[cut.field], cut)
        measured = point[history.measured].isNotNull()
        return measured & ~good if history.cuts else ~measured

    fields = [column.path for column in table.columns if column.path not in (survey.object_identifier, NIGHT.name)]
    chosen = F.transform(
        F.filter(points, is_row), lambda point: F.struct(*(point[name].alias(name) for name in fields))
    )
    if history.cuts:
        return chosen
    return F.when(F.try_element_at(points, F.lit(-1))[history.measured].isNull(), chosen)


def point_keys(rows: DataFrame, survey: Survey, table: Table) -> DataFrame:
    """Return the keys of the rows that points of alerts' histories have in a table, as ``row_key``."""
    (main, *_) = tables_of(survey)
    records = rows.select(
        *_values(survey, (main.by_name[name] for name in (*main.key, VERSION))), *_points(survey, [table])
    )

    def keys(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            made = (row.key for record in batch.to_pylist() for row in _rows_of_history(survey, table, record))
            yield pa.RecordBatch.from_arrays([pa.array(made, pa.binary())], ["row_key"])

    return records.mapInArrow(keys, "row_key binary").distinct()


def _putter(
    survey: Survey, tables: Sequence[Table], put: Put
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    of_alerts = [table for table in tables if table.of_alerts]

    def putter(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            records = batch.to_pylist()
            made = [rows_of_alert(of_alerts, record, _version(record)) for record in records]
            by_table = defaultdict(list)
            for rows in made:
                for name, row in rows.items():
                    by_table[name].append(row)
            for table in tables:
                if table.history:
                    by_table[table.name] = [row for each in records for row in _rows_of_history(survey, table, each)]
            for table in tables:
                if by_table[table.name]:
                    put(table, by_table[table.name])
            yield _acknowledgement(survey, tables[0], records, made)

    return putter


def _acknowledgement(
    survey: Survey, main: Table, records: Sequence[Mapping[str, Any]], made: Sequence[Mapping[str, Row]]
) -> pa.RecordBatch:
    import pyarrow as pa

    keys = [rows[main.name].key for rows in made]
    others = [[(name, row.key) for name, row in rows.items() if name != main.name] for rows in made]
    identifiers = [record[survey.identifier] for record in records]
    arrays = [
        pa.array(keys, pa.binary()),
        pa.array(others, pa.map_(pa.string(), pa.binary())),
        pa.array(identifiers, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(arrays, ["row_key", "index_keys", survey.identifier])


def _rows_of_history(survey: Survey, table: Table, record: Mapping[str, Any]) -> list[Row]:
    return rows_of_points(survey, table, record, record[_of_history(table)] or (), _version(record))


def _of_history(table: Table) -> str:
    # A dot in the name of a column would be taken for a path.
    return f"_points_{table.name.replace('.', '_')}"


def _version(record: Mapping[str, Any]) -> int:
    return int(record[VERSION].timestamp() * 1000)


def _is_nested(kind: str) -> bool:
    """Tell whether a column is no scalar, and so JSON text in HBase."""
    return "<" in kind
