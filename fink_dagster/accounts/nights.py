"""Which nights there are, and what a night's topics hold. What becomes of a night is written in ``lake.nights``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError, UserError
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.count import messages_in
from fink_dagster.kafka.topics import offsets
from fink_dagster.lake.nights import CLOSED, state_of
from fink_dagster.lake.reading import LakeReader, of_topics
from fink_dagster.surveys.base import Night, night_interval

if TYPE_CHECKING:
    from fink_dagster.lake.nights import Offsets
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

SCIENCE = "science_alerts"


def all_nights(reader: LakeReader) -> list[str]:
    """Return every night something is stored for, oldest first."""
    nights: set[str] = set()
    for table in ("raw_alerts", "quarantine"):
        held = reader.table(table)
        if held is not None and held.current_snapshot() is not None:
            nights |= {part["night"] for part in held.inspect.partitions()["partition"].to_pylist()}
    rows = reader.rows("nights", ("night",))
    return sorted(nights | set(rows["night"].to_pylist() if rows else ()))


def nights_between(settings: Settings, survey: Survey, text: str, table: str = SCIENCE) -> list[Night]:
    """Return the nights with rows in a table that ``A..B`` names, both included; ``A`` alone is that night.

    Raises
    ------
    UserError
        When the text is no such interval, or there is no such night.
    OperationError
        When one of them is not closed.
    """
    begin, end = night_interval(text)
    reader = LakeReader(settings, survey.name)
    keys = [key for key in all_nights(reader) if begin.key <= key <= end.key and reader.count_night(table, key)]
    if not keys:
        what = "science alerts" if table == SCIENCE else "alerts"
        message = f"nights {text}: one must have {what} of {survey.name}; see `fink-dagster account --all`"
        raise UserError(message)
    nights = [Night(key) for key in keys]
    for night in nights:
        must_be_closed(reader, survey, night)
    return nights


def must_be_closed(reader: LakeReader, survey: Survey, night: Night) -> None:
    """Do nothing where a night is closed.

    Raises
    ------
    OperationError
        When it is not.
    """
    state = state_of(reader, night.key)
    if state is None or state.state != CLOSED:
        message = f"night {night} ({survey.name}): must be closed; it is not; run `fink-dagster night {night}` first"
        raise OperationError(message)


def held_by(settings: Settings, reader: LakeReader, topics: list[str]) -> Offsets:
    """Return what topics hold or held, messages counted and not offsets.

    Offsets the lake has read are messages, also when they have since expired; of the others each is asked for, because
    transaction markers and aborted messages take offsets too.

    Raises
    ------
    TransientError
        When the survey's Kafka does not answer.
    """
    client = survey_client(settings)
    held: Offsets = {}
    for topic in topics:
        read = _offsets_read(reader, topic)
        held[topic] = {}
        for partition, (first, end) in sorted(offsets(client, topic).items()):
            known = sorted(offset for offset in read.get(partition, ()) if offset < end)
            gaps = _gaps([offset for offset in known if offset >= first], first, end)
            unread = sum(messages_in(client, topic, partition, start, stop) for start, stop in gaps)
            began = min([first, *known[:1]])
            held[topic][str(partition)] = {"first": began, "end": end, "messages": len(known) + unread}
    return held


def _offsets_read(reader: LakeReader, topic: str) -> dict[int, set[int]]:
    read: dict[int, set[int]] = {}
    for table in ("raw_alerts", "quarantine"):
        rows = reader.rows(table, ("partition", "offset"), of_topics([topic]))
        for row in rows.to_pylist() if rows else []:
            read.setdefault(row["partition"], set()).add(row["offset"])
    return read


def _gaps(known: list[int], first: int, end: int) -> list[tuple[int, int]]:
    """Return the half-open ranges of [first, end) without a known offset."""
    edges = [first - 1, *known, end]
    return [(left + 1, right) for left, right in pairwise(edges) if right - left > 1]
