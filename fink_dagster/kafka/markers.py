"""The marker topic: what a transaction sent, written inside it, and read back to the very end.

It answers, after any crash, which alerts went out. Writing in a transaction is ``transactions``; nothing is sent here.
"""

from __future__ import annotations

import json
import operator
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MARKER_BYTES = 500_000  # under the 1 MB that brokers take by default

_READER = {
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 50,  # the end is told by an empty answer, for which the broker waits this long
}


@dataclass(frozen=True)
class Sent:
    """Where an alert that passed a filter can be found."""

    filter: str
    candid: int
    topic: str
    partition: int
    offset: int


def read_markers(config: Mapping[str, Any], topic: str, transaction_seconds: float) -> list[Sent]:
    """Return everything the marker topic says was sent, by any writer.

    Parameters
    ----------
    config : mapping
        The cluster, as ``clients`` gives it.
    topic : str
        The marker topic, of one partition.
    transaction_seconds : float
        How long another writer's transaction may stay open [s], which hides what was committed after it.

    Raises
    ------
    TransientError
        When no broker answers, or another writer's transaction stays open before the end of the topic.
    OperationError
        When the topic holds something else than markers.
    """
    patience = transaction_seconds + ANSWER_SECONDS
    return [sent for message in _messages(dict(config), topic, patience) for sent in unmark(message)]


def _messages(config: dict[str, Any], topic: str, patience_seconds: float) -> Iterator[Message]:
    """Yield the committed messages up to the very end.

    The end counts messages of open transactions too: what another writer committed after such a message cannot be
    read before that transaction ends, and must not be taken for never sent.
    """
    with answering(config, f"topic {topic!r}"):
        end, position, since = _end(config, topic), 0, time.monotonic()
        with closing(Consumer({"group.id": "fink-reader", **config, **_READER})) as consumer:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            while position < end:
                message = consumer.poll(1.0)
                if message is not None:
                    yield from _committed(message)
                    reached = (message.offset() or 0) + (message.error() is None)
                    position, since = reached, (time.monotonic() if reached > position else since)
                if time.monotonic() - since > patience_seconds:
                    raise _undecided(topic, position, end)


def _end(config: dict[str, Any], topic: str) -> int:
    place = TopicPartition(topic, 0)
    admin = AdminClient(config)  # named: the answer never comes when the client is collected before it
    asked = admin.list_offsets(
        {place: OffsetSpec.latest()},
        isolation_level=IsolationLevel.READ_UNCOMMITTED,
        request_timeout=ANSWER_SECONDS,
    )
    return int(asked[place].result().offset)


def _undecided(topic: str, position: int, end: int) -> TransientError:
    return TransientError(
        f"kafka topic {topic}: must be readable to its end at {end}; got as far as {position}, where "
        "another writer's transaction is still open; try again when it has ended"
    )


def marks(batch: str, sent: Iterable[Sent]) -> Iterator[bytes]:
    """Yield marker messages for what was sent, as many as their size asks for.

    Parameters
    ----------
    batch : str
        Name of the batch, for those who read the topic.
    sent : iterable of Sent
        What its transaction holds.
    """
    frame = len(_mark(batch, []))
    entries: list[str] = []
    size = frame
    for item in sent:
        values = [item.filter, operator.index(item.candid), item.topic, item.partition, item.offset]
        entry = json.dumps(values, separators=(",", ":"))
        if entries and size + len(entry) + 1 > MARKER_BYTES:
            yield _mark(batch, entries)
            entries, size = [], frame
        entries.append(entry)
        size += len(entry) + 1
    if entries:
        yield _mark(batch, entries)


def unmark(message: Message) -> list[Sent]:
    """Return what a marker message says was sent.

    Raises
    ------
    OperationError
        When the message is no marker.
    """
    try:
        return [_sent(*entry) for entry in json.loads(message.value() or b"")["sent"]]
    except (ValueError, TypeError, KeyError):
        where = f"kafka topic {message.topic()} offset {message.offset()}"
        text = f"{where}: must be a marker of a batch; got something else; see who writes to this topic"
        raise OperationError(text) from None


def _committed(message: Message) -> Iterator[Message]:
    """Yield a message, or nothing for the event that says the end has been reached."""
    error = message.error()
    if error is None:
        yield message
    elif error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)


def _mark(batch: str, entries: Iterable[str]) -> bytes:
    return f'{{"batch":{json.dumps(batch)},"sent":[{",".join(entries)}]}}'.encode()


def _sent(name: str, candid: int, topic: str, partition: int, offset: int) -> Sent:
    return Sent(name, operator.index(candid), topic, operator.index(partition), operator.index(offset))
