"""Which alerts of a night have been seen, so that a second one with the same identifier is known as a duplicate.

The lake is the memory; what is held here is a copy of it, refreshed when somebody else has written to the night.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fink_dagster.lake.reading import history, may_hold, newest, of_night
from fink_dagster.local.exclusion import alone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fink_dagster.lake.lake import Lake
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey


def raw_lock(settings: Settings, survey: Survey) -> Path:
    """Return the file whose lock one holds to publish raw alerts, or to close a night over those that are there."""
    return settings.data / "locks" / survey.name


class Coordinate(NamedTuple):
    """Where a message was read, and the night and identifier of its alert. Sorts by where."""

    topic: str
    partition: int
    offset: int
    night: str
    identifier: int


class SeenAlerts:
    """The identifiers in raw_alerts, night by night, loaded when a night is first met.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    survey : Survey
        Whose identifier.
    lock : Path
        File that excludes other writers of raw_alerts while duplicates are chosen and written.
    """

    def __init__(self, lake: Lake, survey: Survey, lock: Path) -> None:
        self._lake = lake
        self._survey = survey
        self._lock = lock
        self._by_night: dict[str, set[int]] = {}
        self._snapshot: int | None = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other streams from writing raw_alerts between the choice of duplicates and the append."""
        with alone(self._lock):
            self._forget_what_others_wrote()
            yield
            self._snapshot = newest(self._lake.reader.table("raw_alerts"))

    def duplicates_among(self, alerts: Iterable[Coordinate]) -> list[Coordinate]:
        """Return the alerts whose identifier is in their night already, or earlier among these by coordinate."""
        met: dict[str, set[int]] = {}
        duplicates = []
        for alert in sorted(alerts):
            batch = met.setdefault(alert.night, set())
            if alert.identifier in self._of(alert.night) or alert.identifier in batch:
                duplicates.append(alert)
            batch.add(alert.identifier)
        return duplicates

    def add(self, alerts: Iterable[Coordinate]) -> None:
        """Remember alerts that have been written."""
        for alert in alerts:
            self._of(alert.night).add(alert.identifier)

    def _of(self, night: str) -> set[int]:
        if night not in self._by_night:
            column = self._survey.identifier
            rows = self._lake.reader.rows("raw_alerts", (column,), of_night(night))
            self._by_night[night] = set(rows[column].to_pylist()) if rows else set()
        return self._by_night[night]

    def _forget_what_others_wrote(self) -> None:
        for snapshot in history(self._lake.reader.table("raw_alerts")):
            if snapshot.snapshot_id == self._snapshot:
                return
            for night in [night for night in self._by_night if may_hold(snapshot, night)]:
                del self._by_night[night]
        if self._snapshot is not None:
            self._by_night.clear()
