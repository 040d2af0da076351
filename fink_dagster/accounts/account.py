"""The account of a night: exact, from the lake alone, and closed only when every message and every alert is found.

Live counts of Kafka and HBase are compared in ``live``; how it is printed is the command's affair.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.keys import row_key
from fink_dagster.lake.nights import CLOSED, Offsets, state_of
from fink_dagster.lake.quarantine import by_code, coordinate_of
from fink_dagster.lake.reading import LakeReader, of_night, of_topics
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.distribution import COUNT, active_filters, count_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fink_dagster.lake.nights import NightState
    from fink_dagster.lake.quarantine import Place
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

_COORDINATE = ("topic", "partition", "offset")


@dataclass(frozen=True)
class Account:
    """The books of one night. Names are those of the JSON the command prints.

    Attributes
    ----------
    received : int
        Messages of the night's topics.
    offsets : dict
        Topic -> partition -> first and last offset.
    raw : int
        Alerts of the night in raw_alerts.
    other_nights : dict
        Night -> alerts of it that came in this night's topics.
    from_other_topics : dict
        Topic of another night -> alerts of this night that came in it.
    quarantined, rejected, distributed, archived : dict
        Code, reason, topic, HBase table -> how many.
    science, duplicates : int
        Alerts that passed the cuts; alerts seen before.
    closes : bool
        True when every stage's in equals its out plus what was set aside, and every message of the night's topics is
        exactly once in raw_alerts or in quarantine.
    """

    night: str
    survey: str
    received: int
    offsets: dict[str, dict[str, dict[str, int | None]]]
    raw: int
    other_nights: dict[str, int]
    from_other_topics: dict[str, int]
    quarantined: dict[str, int]
    science: int
    rejected: dict[str, int]
    duplicates: int
    distributed: dict[str, int]
    archived: dict[str, int]
    closes: bool
    state: str = "unknown"
    why_open: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the account as plain data."""
        return asdict(self)

    def as_books(self) -> dict[str, Any]:
        """Return what the night is closed with: the numbers, without what became of the night afterwards."""
        return {name: value for name, value in asdict(self).items() if name not in ("state", "why_open")}


def account_of(settings: Settings, survey: Survey, night: Night, held: Offsets | None = None) -> Account | None:
    """Return the account of a night from what is stored, or None when nothing of it is.

    Parameters
    ----------
    settings : Settings
        Where the lake is.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    held : dict, optional
        What the night's topics hold, when it is about to be closed; else what they held when it last was.
    """
    books = _Books(LakeReader(settings, survey.name), survey, night, held)
    return books.account() if books.anything() else None


class _Books:
    """The rows an account is made of, read once."""

    def __init__(self, reader: LakeReader, survey: Survey, night: Night, held: Offsets | None) -> None:
        self.reader, self.survey, self.night = reader, survey, night
        self.identifier = survey.identifier
        self.topics = survey.topics(night)
        self.state: NightState | None = state_of(reader, night.key)
        self.known = held is not None or (self.state is not None and self.state.state == CLOSED)
        self.held: Offsets = held if held is not None else (self.state.offsets if self.state else {})
        self.raw = self._of_night("raw_alerts", (*_COORDINATE, self.identifier))
        from_topics = of_topics(self.topics)
        self.read = _rows(reader.rows("raw_alerts", (*_COORDINATE, "night"), from_topics))
        kept = {coordinate_of(row) for row in self.read}
        stored = _rows(reader.rows("quarantine", (*_COORDINATE, "code"), from_topics))
        self.quarantine = [row for row in stored if coordinate_of(row) not in kept]
        key = (survey.object_identifier, survey.night_rule.field, self.identifier)
        self.science = self._of_night("science_alerts", (*_COORDINATE, *key))
        self.rejected = self._of_night("rejected", (*_COORDINATE, "reason"))
        self.duplicates = self._of_night("duplicates", _COORDINATE)
        self.distributed = self._of_night("distributed", ("topic", "filter", self.identifier))
        self.archived = self._of_night("archived", ("table", "row_key", "index_keys"))

    def anything(self) -> bool:
        return bool(self.state or self.raw or self.read or self.quarantine)

    def account(self) -> Account:
        received = sum(part["messages"] for parts in self.held.values() for part in parts.values())
        if not self.known:
            received = len(self.read) + len(self.quarantine)
        open_ends = [*self._stream2raw(received), *self._raw2science(), *self._distribution(), *self._archive()]
        return Account(
            night=self.night.key,
            survey=self.survey.name,
            received=received,
            offsets={
                topic: {part: _first_last(ends) for part, ends in parts.items()} for topic, parts in self.held.items()
            },
            raw=len(self.raw),
            other_nights=_counted(row["night"] for row in self.read if row["night"] != self.night.key),
            from_other_topics=_counted(row["topic"] for row in self.raw if row["topic"] not in self.topics),
            quarantined=by_code(self.quarantine),
            science=len(self.science),
            rejected=_counted(row["reason"] for row in self.rejected),
            duplicates=len(self.duplicates),
            distributed=self._topics_sent(),
            archived=self._rows_acknowledged(),
            closes=not open_ends,
            state=self.state.state if self.state else "unknown",
            why_open=open_ends,
        )

    def _of_night(self, table: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        return _rows(self.reader.rows(table, columns, of_night(self.night.key)))

    def _stream2raw(self, received: int) -> list[str]:
        if not self.known:
            return ["stream2raw: what the night's topics hold is known when it is drained, and it is not"]
        coordinates = [coordinate_of(row) for row in (*self.read, *self.quarantine)]
        wrong = []
        if len(coordinates) != len(set(coordinates)):
            wrong.append(f"stream2raw: {len(coordinates) - len(set(coordinates))} messages are stored more than once")
        if received != len(set(coordinates)):
            wrong.append(f"stream2raw: {received} messages received, {len(set(coordinates))} in raw or quarantine")
        outside = [c for c in coordinates if not _inside(c, self.held)]
        if outside:
            wrong.append(f"stream2raw: {len(outside)} messages lie outside the topic's offsets, the first {outside[0]}")
        return wrong

    def _raw2science(self) -> list[str]:
        out = [coordinate_of(row) for row in (*self.science, *self.rejected, *self.duplicates)]
        if sorted(out) == sorted(coordinate_of(row) for row in self.raw):
            return []
        return [f"raw2science: {len(self.raw)} alerts in, {len(out)} out ({len(set(out))} different)"]

    def _distribution(self) -> list[str]:
        counted = sorted(row[self.identifier] for row in self.distributed if row["filter"] == COUNT)
        wrong = []
        if counted != sorted(row[self.identifier] for row in self.science):
            wrong.append(f"distribution: {len(self.science)} alerts in, {len(counted)} in the count topic")
        sent = Counter((row["filter"], row[self.identifier]) for row in self.distributed)
        twice = sum(1 for number in sent.values() if number > 1)
        return [*wrong, *([f"distribution: {twice} alerts were sent twice to a topic"] if twice else [])]

    def _archive(self) -> list[str]:
        keys = {_expected_key(row, self.survey) for row in self.science}
        held = {key for table, key in self._acknowledged() if table == self.survey.name}
        if keys == held:
            return []
        return [f"archive: {len(keys - held)} rows are not acknowledged, {len(held - keys)} are of no science alert"]

    def _acknowledged(self) -> set[tuple[str, bytes]]:
        main = {(row["table"], bytes(row["row_key"])) for row in self.archived}
        return main | {(table, bytes(key)) for row in self.archived for table, key in row["index_keys"] or ()}

    def _rows_acknowledged(self) -> dict[str, int]:
        tables = [table.name for table in tables_of(self.survey) if table.of_alerts]
        return {**dict.fromkeys(tables, 0), **_counted(table for table, _ in self._acknowledged())}

    def _topics_sent(self) -> dict[str, int]:
        known = self._topics_known()
        sent = Counter({(row["topic"], row[self.identifier]): 1 for row in self.distributed})
        counted = Counter(topic for topic, _ in sent)
        return {topic: counted[topic] for topic in sorted({*known, *counted})}

    def _topics_known(self) -> list[str]:
        """Return a night's topics, sent to or not: those it was closed with, else those of the filters active now."""
        if self.state and self.state.state == CLOSED and self.state.account:
            return list(self.state.account["distributed"])
        user_topics = (item.topic(self.survey.name) for item in active_filters(self.reader, self.survey))
        return [count_topic(self.survey.name, self.night.compact), *user_topics]


def _expected_key(row: dict[str, Any], survey: Survey) -> bytes:
    time: Any = row
    for name in survey.night_rule.field.split("."):
        time = time[name]
    return row_key(row[survey.object_identifier], time, row[survey.identifier])


def _rows(table: Any) -> list[dict[str, Any]]:
    return [] if table is None else list(table.to_pylist())


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _first_last(ends: dict[str, int]) -> dict[str, int | None]:
    empty = ends["end"] == ends["first"]
    return {"first": None if empty else ends["first"], "last": None if empty else ends["end"] - 1}


def _inside(coordinate: Place, held: dict[str, Any]) -> bool:
    topic, partition, offset = coordinate
    ends = held.get(topic, {}).get(str(partition))
    return ends is not None and offset < ends["end"]
