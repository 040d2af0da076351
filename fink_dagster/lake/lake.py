"""The lake as a stage sees it: tables made and widened, appends that happen once, streams from a night's beginning.

Every append carries what it is in its snapshot summary and is looked up before writing, because
Iceberg's own epoch check does not apply in ``foreachBatch`` and one batch may write several tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.lake.reading import LakeReader, history, may_hold, said_by
from fink_dagster.lake.spark import CATALOG
from fink_dagster.lake.tables import COORDINATE, NIGHT, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.readwriter import DataFrameWriterV2

    from fink_dagster.lake.tables import Table
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

APPEND = "fink.append"
STAGES = "write.wap.enabled"
_PUBLISHED_ID = "published-wap-id"
_PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
    # Four queries, a compaction and a backfill may commit at once; each retry is cheap, a failed batch is not.
    "commit.retry.num-retries": "20",
    "write.metadata.metrics.max-inferred-column-defaults": "20",
    # Stamps never repeat: a large dictionary only hashes each of them before it is given up.
    "write.parquet.dict-size-bytes": "65536",
    # Which nights a snapshot has rows of, so that readers of other nights can pass over it.
    "write.summary.partition-limit": "100000",
}


@dataclass(frozen=True)
class Append:
    """Which append this is: the same stage, checkpoint and batch are written once."""

    stage: str
    checkpoint: str
    batch: int

    def __str__(self) -> str:
        return f"{self.stage}/{self.checkpoint}/{self.batch}"


class Lake:
    """A survey's tables, through a Spark session.

    Parameters
    ----------
    spark : SparkSession
        A session with :func:`fink_dagster.lake.spark.spark_config`.
    settings : Settings
        Where the lake is.
    survey : Survey
        Whose tables.
    """

    def __init__(self, spark: SparkSession, settings: Settings, survey: Survey) -> None:
        self.spark = spark
        self.survey = survey
        self.reader = LakeReader(settings, survey.name)

    def name(self, table: str) -> str:
        """Return the full name of a table in Spark."""
        return f"{CATALOG}.{self.survey.name}.{table}"

    def create(self, alert_schema: Mapping[str, Any] | None = None) -> None:
        """Create the tables that are missing."""
        self.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{self.survey.name}")
        for table in tables(self.survey, alert_schema).values():
            properties = _properties(table, self.survey.identifier)
            self.spark.sql(_create_statement(self.name(table.name), table, properties))
            self._add_missing_columns(table)
            self._set_missing(table, properties)

    def _add_missing_columns(self, table: Table) -> None:
        """Give a table that is older than its declaration the columns it lacks, such as a new module's; null so far."""
        held = set(self.spark.table(self.name(table.name)).columns)
        for column in table.columns:
            if column.name not in held:
                kind = f"{column.type} COMMENT '{_quoted(column.meaning)}'"
                self.spark.sql(f"ALTER TABLE {self.name(table.name)} ADD COLUMN `{column.name}` {kind}")

    def _set_missing(self, table: Table, properties: Mapping[str, str]) -> None:
        """Give a table that is older than its declaration the properties it lacks."""
        made = self.reader.table(table.name)
        held = made.properties if made else {}
        # The version of the format is not kept among the properties.
        missing = {key: value for key, value in properties.items() if key not in {*held, "format-version"}}
        if missing:
            self.spark.sql(f"ALTER TABLE {self.name(table.name)} SET TBLPROPERTIES ({_listed(missing)})")

    def read(self, table: str) -> DataFrame:
        """Return a table in its newest state."""
        return self.spark.read.table(self.name(table))

    def append(self, table: str, rows: DataFrame, append: Append) -> bool:
        """Append rows once; return False when this append is already in the table.

        Parameters
        ----------
        table : str
            Table of the survey.
        rows : DataFrame
            Rows with the table's columns, in any order.
        append : Append
            What makes it the same append when it is tried again.
        """
        if self.appended(table, append):
            return False
        self.writer(table, rows, append).append()
        return True

    def writer(self, table: str, rows: DataFrame, append: Append) -> DataFrameWriterV2:
        """Return how rows are written to a table: its columns in order, and in the snapshot which append it is."""
        writer = rows.select(*self.read(table).columns).writeTo(self.name(table)).option("fanout-enabled", "true")
        return writer.option(f"snapshot-property.{APPEND}", str(append))

    def appended(self, table: str, append: Append) -> bool:
        """Tell whether an append, or a later one of the same stage and checkpoint, is in the table."""
        for snapshot in history(self.reader.table(table)):
            # A staged snapshot that was not the next one is published as another, which only has this name of it.
            name = said_by(snapshot, APPEND) or said_by(snapshot, _PUBLISHED_ID)
            stage, _, rest = name.partition("/")
            checkpoint, _, batch = rest.partition("/")
            if (stage, checkpoint) == (append.stage, append.checkpoint):
                return int(batch) >= append.batch
        return False

    def not_in(self, rows: DataFrame, tables: Iterable[str], key: list[str], where: str) -> DataFrame:
        """Return the rows whose key is in none of the tables: what a checkpoint that starts over has still to do.

        Parameters
        ----------
        rows : DataFrame
            A batch with the key's columns.
        tables : iterable of str
            Tables with the same columns.
        key : list of str
            What identifies a row.
        where : str
            Condition that keeps the look-up to files of the night.
        """
        for table in tables:
            rows = rows.join(self.read(table).where(where).select(*key), key, "left_anti")
        return rows

    def stream(self, table: str, night: str) -> DataFrame:
        """Return the rows of a night as a stream that begins with the night's first snapshot."""
        reader = self.spark.readStream.format("iceberg")
        since = self._first_snapshot_ms(table, night)
        if since is not None:
            reader = reader.option("stream-from-timestamp", str(since))
        reader = reader.option("streaming-skip-overwrite-snapshots", "true")
        reader = reader.option("streaming-skip-delete-snapshots", "true")
        return reader.load(self.name(table)).where(f"{NIGHT.name} = '{night}'")

    def _first_snapshot_ms(self, table: str, night: str) -> int | None:
        """Return the time of the first snapshot with rows of the night, else of whatever will come next."""
        snapshots = list(history(self.reader.table(table)))
        with_night = [snapshot.timestamp_ms for snapshot in snapshots if may_hold(snapshot, night)]
        if with_night:
            return min(with_night)
        return snapshots[0].timestamp_ms + 1 if snapshots else None


def _create_statement(name: str, table: Table, properties: Mapping[str, str]) -> str:
    columns = ",\n".join(
        f"`{column.name}` {column.type} COMMENT '{_quoted(column.meaning)}'" for column in table.columns
    )
    partitioned = f"PARTITIONED BY (`{NIGHT.name}`)" if table.partitioned else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING iceberg {partitioned} "
        f"COMMENT '{_quoted(table.holds)}' TBLPROPERTIES ({_listed(properties)})"
    )


def _properties(table: Table, identifier: str) -> dict[str, str]:
    bounded = {NIGHT.name, *(column.name for column in COORDINATE), identifier} & {
        column.name for column in table.columns
    }
    staged = {STAGES: "true"} if table.staged else {}
    return {
        **_PROPERTIES,
        **staged,
        **{f"write.metadata.metrics.column.{column}": "full" for column in sorted(bounded)},
    }


def _listed(properties: Mapping[str, str]) -> str:
    return ", ".join(f"'{key}'='{value}'" for key, value in properties.items())


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
