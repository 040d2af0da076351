"""The life of a night, one row a change in the table ``nights``; and what a topic held when the night was drained."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.count import messages_in
from fink_dagster.kafka.topics import offsets
from fink_dagster.lake.lake import Append
from fink_dagster.lake.reading import of_night, of_topics

if TYPE_CHECKING:
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.settings import Settings

OPEN, CLOSED = "open", "closed"
Offsets = dict[str, dict[str, dict[str, int]]]
"""Topic -> partition -> ``first`` and ``end`` offset and number of ``messages`` between them."""


@dataclass(frozen=True)
class NightState:
    """The newest state of a night."""

    state: str
    changed_at: dt.datetime
    run_id: str
    offsets: Offsets
    account: dict[str, Any] | None


def state_of(reader: LakeReader, night: str) -> NightState | None:
    """Return the newest state of a night, or None when it never began."""
    rows = reader.rows("nights", ("changed_at", "state", "run_id", "offsets", "account"), of_night(night))
    if rows is None or not len(rows):
        return None
    newest = rows.sort_by("changed_at").to_pylist()[-1]
    held, account = json.loads(newest["offsets"] or "{}"), json.loads(newest["account"] or "null")
    return NightState(newest["state"], newest["changed_at"], newest["run_id"], held, account)


def all_nights(reader: LakeReader) -> list[str]:
    """Return every night something is stored for, oldest first."""
    nights: set[str] = set()
    for table in ("raw_alerts", "quarantine"):
        held = reader.table(table)
        if held is not None and held.current_snapshot() is not None:
            nights |= {part["night"] for part in held.inspect.partitions()["partition"].to_pylist()}
    rows = reader.rows("nights", ("night",))
    return sorted(nights | set(rows["night"].to_pylist() if rows else ()))


def change(lake: Lake, night: str, state: str, run: str, held: Offsets, account: dict[str, Any] | None = None) -> None:
    """Write down a new state of a night.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    night : str
        Which night.
    state : {"open", "closed"}
        What it is from now on.
    run : str
        Who says so.
    held : dict
        What the night's topics held, as :func:`held_by` returns it.
    account : dict, optional
        The account it was closed with.
    """
    now = dt.datetime.now(dt.UTC)
    row = (night, now, state, run, json.dumps(held), json.dumps(account) if account else None)
    schema = lake.spark.table(lake.name("nights")).schema
    lake.append("nights", lake.spark.createDataFrame([row], schema).coalesce(1), Append("nights", uuid.uuid4().hex, 0))


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
