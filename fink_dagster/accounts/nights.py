"""Which nights there are, and what a night's topics hold. What becomes of a night is written in ``lake.nights``."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.count import messages_in
from fink_dagster.kafka.topics import offsets
from fink_dagster.lake.reading import of_topics

if TYPE_CHECKING:
    from fink_dagster.lake.nights import Offsets
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.settings import Settings


def all_nights(reader: LakeReader) -> list[str]:
    """Return every night something is stored for, oldest first."""
    nights: set[str] = set()
    for table in ("raw_alerts", "quarantine"):
        held = reader.table(table)
        if held is not None and held.current_snapshot() is not None:
            nights |= {part["night"] for part in held.inspect.partitions()["partition"].to_pylist()}
    rows = reader.rows("nights", ("night",))
    return sorted(nights | set(rows["night"].to_pylist() if rows else ()))


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
