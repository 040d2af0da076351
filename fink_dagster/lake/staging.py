"""Rows that are written before anybody sees them, so that a batch can be looked at before it is published.

This is Iceberg's write-audit-publish: a snapshot is staged beside the table's history and becomes a part of it later,
by metadata alone. What is never published (a crash, a batch that had to be written otherwise) is removed when snapshots
expire. Which rows are right is not decided here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import ManifestEntryStatus

from fink_dagster.errors import OperationError
from fink_dagster.lake.lake import STAGES
from fink_dagster.lake.reading import said_by
from fink_dagster.lake.spark import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table
    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.lake.lake import Append, Lake

_SESSION_ID = "spark.wap.id"
_MARK = "fink.staged"
"""In the snapshot: which staging it is; the same batch may have been staged before, by what then crashed."""


@dataclass(frozen=True)
class Staged:
    """What was written: table (of the survey, and by its name in Spark), snapshot, paths of the data files."""

    table: str
    name: str
    snapshot: int
    files: tuple[str, ...]


def stage(lake: Lake, table: str, rows: DataFrame, append: Append) -> Staged:
    """Write rows to a table without publishing them.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    table : str
        A table that is declared to be staged.
    rows : DataFrame
        Rows with the table's columns, in any order.
    append : Append
        What the rows are published as.

    Raises
    ------
    OperationError
        When the table would take the rows at once: it does not stage.
    """
    before = lake.reader.table(table)
    if before is None or before.properties.get(STAGES) != "true":
        message = f"{lake.name(table)}: must have {STAGES}=true, so that a batch can be staged; set it and try again"
        raise OperationError(message)
    mark = uuid.uuid4().hex
    # Each streaming query has a session of its own, so the other stages' appends are not staged.
    conf = rows.sparkSession.conf
    conf.set(_SESSION_ID, str(append))
    try:
        lake.writer(table, rows, append).option(f"snapshot-property.{_MARK}", mark).append()
    finally:
        conf.unset(_SESSION_ID)
    written = lake.reader.table(table)
    assert written is not None
    (snapshot,) = (it.snapshot_id for it in written.snapshots() if said_by(it, _MARK) == mark)
    return Staged(table, lake.name(table), snapshot, tuple(_added_files(written, snapshot)))


def publish(lake: Lake, staged: Staged) -> None:
    """Make staged rows a part of the table, after whatever else was committed in the meantime."""
    lake.spark.sql(f"CALL {CATALOG}.system.cherrypick_snapshot('{lake.survey.name}.{staged.table}', {staged.snapshot})")


def look(lake: Lake, staged: Staged, columns: Iterable[str]) -> pa.Table:
    """Return some top-level columns of staged rows, also of rows that are null but for where they came from."""
    table, names = lake.reader.table(staged.table), list(columns)
    if table is None or not staged.files:
        return pa.table({name: pa.nulls(0) for name in names})
    return pa.concat_tables([_columns(table, path, names) for path in staged.files])


def rows_of(staged: Staged, spark: SparkSession) -> DataFrame:
    """Return staged rows, whole, in a session."""
    # The paths are as they are: a folder whose name has a bracket is no pattern.
    reader = spark.read.schema(spark.table(staged.name).schema).option("__globPaths__", "false")
    return reader.parquet(*staged.files)


def _added_files(table: Table, snapshot: int) -> Iterable[str]:
    found = table.snapshot_by_id(snapshot)
    for manifest in found.manifests(table.io) if found else []:
        if manifest.added_snapshot_id == snapshot:
            for entry in manifest.fetch_manifest_entry(table.io):
                # A manifest made of older ones has their files too.
                if entry.status == ManifestEntryStatus.ADDED and entry.snapshot_id in (None, snapshot):
                    yield entry.data_file.file_path


def _columns(table: Table, path: str, names: list[str]) -> pa.Table:
    with table.io.new_input(path).open() as file:
        return pq.read_table(file, columns=names).select(names)
