"""Reading a range of a topic to see what is really in it: counting messages, walking all of them.

Only committed messages count, and offsets are never subtracted: each transaction leaves markers that take offsets and
are no message. For small ranges and for tests; alerts are read by the stages.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, TopicPartition

from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering, as_ours, no_answer
from fink_dagster.kafka.topics import offsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from confluent_kafka import Message

_READER = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,  # the only word on a range whose last offsets are markers
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",  # a range that has expired must not be counted as empty
    "fetch.wait.max.ms": 50,  # the word that a partition is at its end waits this long
    "queued.max.messages.kbytes": 16384,  # ranges are small: 64 MB would be fetched ahead of them
}


def messages_in(config: Mapping[str, str], topic: str, partition: int, start: int, end: int) -> int:
    """Count the committed messages of a partition with ``start <= offset < end``.

    Reads exactly that range. Messages of a transaction still open are not counted.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the range has expired, or there is no such topic or partition.
    """
    first, _ = offsets(config, topic).get(partition, (None, None))
    if first is None or (first > start and end > start):
        where = f"topic {topic} partition {partition} offsets {start} to {end}"
        got = "there is no such partition" if first is None else f"the first still there is {first}"
        message = f"kafka: {where} must be there to be counted; {got}; count a later range"
        raise OperationError(message)
    return sum(1 for _ in _read(config, topic, {partition: (start, end)}))


def read_all(config: Mapping[str, str], topic: str) -> Iterator[Message]:
    """Yield all committed messages of a topic up to where its partitions end at the time of the call.

    Order is kept within a partition only.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When there is no such topic.
    """
    return _read(config, topic, offsets(config, topic))


def _read(config: Mapping[str, str], topic: str, ranges: Mapping[int, tuple[int, int]]) -> Iterator[Message]:
    ends = {partition: end for partition, (start, end) in ranges.items() if start < end}
    if not ends:
        return
    with answering(config), closing(Consumer({**config, **_READER})) as consumer:
        consumer.assign([TopicPartition(topic, partition, ranges[partition][0]) for partition in ends])
        while ends:
            message = _next(consumer, config)
            partition, offset = message.partition() or 0, message.offset() or 0
            end = ends.get(partition, 0)
            over = message.error() is not None
            if not over and offset < end:
                yield message
            if partition in ends and (over or offset + 1 >= end):
                del ends[partition]
                consumer.pause([TopicPartition(topic, partition)])


def _next(consumer: Consumer, config: Mapping[str, str]) -> Message:
    """Return the next message, or the event that says a partition is read to its end."""
    message = consumer.poll(ANSWER_SECONDS)
    if message is None:
        raise no_answer(config)
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        return message
    if error.code() == KafkaError._AUTO_OFFSET_RESET:
        where = f"topic {message.topic()} partition {message.partition()}"
        text = f"kafka: {where} must still hold what is to be read; it does not; read a later range"
        raise OperationError(text)
    raise as_ours(error, config)
