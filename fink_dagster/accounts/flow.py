"""How far a night has got, from the record counts of the lake's files: quick enough to ask every second.

The exact books are ``account``; this only tells when it is worth closing them, and what an operator watches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from fink_dagster.lake.reading import of_night

if TYPE_CHECKING:
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.surveys.base import Night, Survey


@dataclass(frozen=True)
class Passage:
    """One stage: rows that came in, rows that went on, rows set aside, and rows (or messages) still waiting."""

    read: int
    passed: int
    set_aside: int
    waiting: int


@dataclass(frozen=True)
class Flow:
    """The four stages of a night."""

    stream2raw: Passage
    raw2science: Passage
    distribution: Passage
    archive: Passage

    @property
    def drained(self) -> bool:
        """True when nothing waits anywhere."""
        return not any(passage.waiting for passage in self.stages().values())

    def stages(self) -> dict[str, Passage]:
        """Return the passages by stage."""
        return {name: getattr(self, name) for name in ("stream2raw", "raw2science", "distribution", "archive")}


def flow_of(reader: LakeReader, survey: Survey, night: Night, waiting: int, redriven: int = 0) -> Flow:
    """Count what each stage has stored for a night.

    Parameters
    ----------
    reader : LakeReader
        The survey's tables.
    survey : Survey
        Whose tables they are.
    night : Night
        Which night.
    waiting : int
        Messages of the night's topics that stream2raw has not finished with.
    redriven : int
        Rows of quarantine that do not count any more because raw_alerts holds their message.
    """
    key = night.key
    raw, quarantined = reader.count_night("raw_alerts", key), reader.count_night("quarantine", key) - redriven
    science = reader.count_night("science_alerts", key)
    aside = reader.count_night("rejected", key) + reader.count_night("duplicates", key)
    counted = _counted(reader, key)
    archived = reader.count_night("archived", key)
    return Flow(
        Passage(raw + quarantined, raw, quarantined, waiting),
        Passage(science + aside, science, aside, raw - science - aside),
        Passage(counted, counted, 0, science - counted),
        Passage(archived, archived, 0, science - archived),
    )


def _counted(reader: LakeReader, night: str) -> int:
    rows = reader.rows("distributed", ("filter",), of_night(night))
    return int(pc.sum(pc.equal(rows["filter"], "count")).as_py() or 0) if rows else 0
