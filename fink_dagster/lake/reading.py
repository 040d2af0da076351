"""Reading the lake without Spark: counts, scans and snapshots through pyiceberg.

The books and the commands read here, so that ``account`` answers in a second. Nothing is written.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, cast

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, EqualTo, In
from sqlalchemy.exc import DBAPIError

from fink_dagster.lake.spark import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from fink_dagster.settings import Settings

_OF_NIGHT = "partitions.night="
EVERYTHING: BooleanExpression = AlwaysTrue()

# pydantic's mypy plugin reads these models' fields as the arguments of their constructors, which take others.
_equal = cast("Callable[[str, str | int], BooleanExpression]", EqualTo)
_any_of = cast("Callable[[str, list[str]], BooleanExpression]", In)


def of_night(night: str) -> BooleanExpression:
    """Return the row filter of one night."""
    return where_equal("night", night)


def where_equal(column: str, value: str | int) -> BooleanExpression:
    """Return the row filter of one value."""
    return _equal(column, value)


def of_topics(topics: list[str]) -> BooleanExpression:
    """Return the row filter of some topics."""
    return _any_of("topic", topics)


class LakeReader:
    """The tables of one survey, read as they are at the moment of each call.

    Parameters
    ----------
    settings : Settings
        Where the catalog is.
    survey : str
        Namespace of the tables.
    """

    def __init__(self, settings: Settings, survey: str) -> None:
        self._survey = survey
        self._settings = settings
        uri = _sqlalchemy_uri(settings)
        # Spark makes the catalog; a reader that made one would leave a lake nobody asked for.
        self._catalog = SqlCatalog(CATALOG, uri=uri, warehouse=settings.warehouse, init_catalog_tables="false")

    def table(self, name: str) -> Table | None:
        """Return a table in its newest state, or None when the lake has none of that name."""
        if self._settings.lake_catalog is None and not self._settings.catalog_file.exists():
            return None
        try:
            return self._catalog.load_table((self._survey, name))
        except NoSuchTableError:
            return None
        except DBAPIError as error:
            # A catalog nobody has written to yet has no table of tables.
            if "iceberg_tables" in str(error.orig):
                return None
            raise

    def count(self, name: str, where: BooleanExpression = EVERYTHING) -> int:
        """Return the number of rows by the files' own record counts; the filter must be on the partition."""
        table = self.table(name)
        if table is None or table.current_snapshot() is None:
            return 0
        return sum(task.file.record_count for task in table.scan(row_filter=where).plan_files())

    def count_night(self, name: str, night: str) -> int:
        """Return the number of rows of one night."""
        return self.count(name, of_night(night))

    def has_topics(self, topics: list[str]) -> bool:
        """Tell whether files of raw_alerts or quarantine may hold messages of these topics, by their column bounds."""
        where = of_topics(topics)
        tables = [self.table(name) for name in ("raw_alerts", "quarantine")]
        return any(
            True
            for table in tables
            if table and table.current_snapshot()
            for _ in table.scan(row_filter=where).plan_files()
        )

    def rows(self, name: str, columns: tuple[str, ...], where: BooleanExpression = EVERYTHING) -> pa.Table | None:
        """Return some columns of the rows that match, or None when the table is not there or empty."""
        table = self.table(name)
        if table is None or table.current_snapshot() is None:
            return None
        return table.scan(row_filter=where, selected_fields=columns).to_arrow()


def history(table: Table | None) -> Iterator[Snapshot]:
    """Yield the snapshots a table is made of, the newest first; those that were staged only are not among them."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in table.snapshots()} if table else {}
    snapshot = by_id.get(table.metadata.current_snapshot_id or 0) if table else None
    while snapshot is not None:
        yield snapshot
        snapshot = by_id.get(snapshot.parent_snapshot_id or 0)


def newest(table: Table | None) -> int | None:
    """Return the snapshot a table is at; None when there is no table, or nothing in it."""
    return table.metadata.current_snapshot_id if table else None


def since(table: Table | None, snapshot_id: int | None) -> Iterator[Snapshot]:
    """Yield the snapshots that have become part of a table after one of it, the newest first."""
    return takewhile(lambda snapshot: snapshot.snapshot_id != snapshot_id, history(table))


def may_hold(snapshot: Snapshot, night: str) -> bool:
    """Tell whether a snapshot has added rows of a night or taken some away; one that does not say may have."""
    return bool(said_by(snapshot, _OF_NIGHT + night)) or said_by(snapshot, "partition-summaries-included") != "true"


def said_by(snapshot: Snapshot, name: str) -> str:
    """Return a property a writer put into a snapshot's summary, or an empty text."""
    summary = snapshot.summary
    return str(summary.additional_properties.get(name, "")) if summary else ""


def _sqlalchemy_uri(settings: Settings) -> str:
    if settings.lake_catalog is None:
        return f"sqlite:///{settings.catalog_file}"
    return settings.lake_catalog.removeprefix("jdbc:")
