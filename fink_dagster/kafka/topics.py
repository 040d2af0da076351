"""Topics of a cluster: which exist, create and remove one, where its partitions begin and end.

Asks brokers, creates and removes topics, nothing else: messages are read in ``count`` and written in ``replay`` and
``transactions``. Which names and how many partitions there should be is the survey's or the filter's affair.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering, no_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from confluent_kafka.admin import TopicDescription

MAX_MESSAGE_BYTES = 16_777_216
"""Of the topics made here: four times what stream2raw reads by default, so that a message that is too long for it can
be stored, found and counted as quarantined."""

BROKERS_OWN = -1
"""Asks for as many copies of a topic as the broker makes by default."""
_LEADER_WAIT_SECONDS = 0.05
_NO_LEADER_YET = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
"""What a broker says of a partition that is being moved to it, as in the moments after a topic was created."""
_GONE = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})


def all_topics(config: Mapping[str, str]) -> set[str]:
    """Return the names of all topics this user may see.

    Raises
    ------
    TransientError
        When no broker answers.
    """
    with answering(config):
        return set(AdminClient(dict(config)).list_topics(timeout=ANSWER_SECONDS).topics)


def existing_topics(config: Mapping[str, str], names: Iterable[str]) -> set[str]:
    """Return those of some topics that exist.

    Raises
    ------
    TransientError
        When no broker answers.
    """
    return all_topics(config) & set(names)


def remove_topic(config: Mapping[str, str], name: str) -> None:
    """Remove a topic; one that is not there is passed over.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    admin = AdminClient(dict(config))  # named: the answer never comes when the client is collected before it
    with answering(config, f"topic {name!r}"):
        try:
            admin.delete_topics([name], request_timeout=ANSWER_SECONDS)[name].result()
        except KafkaException as error:
            if error.args[0].code() not in _GONE:
                raise


def ensure_topic(
    config: Mapping[str, str],
    name: str,
    partitions: int,
    *,
    retention_ms: int = -1,
    compact: bool = False,
    replication: int = BROKERS_OWN,
) -> int:
    """Create a topic where there is none, wait until it can be written to, and return how many partitions it has.

    A topic that exists is left as it is.

    Parameters
    ----------
    config : mapping
        The cluster, as ``clients`` gives it.
    name : str
        The topic.
    partitions : int
        How many a new topic gets.
    retention_ms : int
        How long a new topic keeps a message [ms]; -1: for ever.
    compact : bool
        Whether a new topic keeps the newest message of each key instead.
    replication : int
        How many copies of a new topic there are, each on a broker of its own.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses, for example the name.
    """
    admin = AdminClient(dict(config))
    policy = {"cleanup.policy": "compact"} if compact else {"retention.ms": str(retention_ms)}
    options = {"max.message.bytes": str(MAX_MESSAGE_BYTES), **policy}
    new = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=options)
    with answering(config, f"topic {name!r}"):
        if _described(admin, name) is None:
            _create(admin, new)
        return _wait_until_led(admin, name, config)


def offsets(config: Mapping[str, str], topic: str) -> dict[int, tuple[int, int]]:
    """Return first available and end offset of each partition of a topic.

    The end is that of a reader of committed messages: a transaction still open ends a partition before its first
    message. The difference is no count, since markers of transactions take offsets too.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When there is no such topic.
    """
    admin = AdminClient(dict(config))
    with answering(config, f"topic {topic!r}"):
        numbers = [partition.id for partition in _must_exist(admin, topic, config).partitions]
        first = _listed(admin, topic, numbers, OffsetSpec.earliest())
        end = _listed(admin, topic, numbers, OffsetSpec.latest())
    return {number: (first[number], end[number]) for number in sorted(numbers)}


def topic_id(config: Mapping[str, str], topic: str) -> str:
    """Return the identity of a topic, which a topic created anew under the same name does not share.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When there is no such topic.
    """
    with answering(config, f"topic {topic!r}"):
        return str(_must_exist(AdminClient(dict(config)), topic, config).topic_id)


def _described(admin: AdminClient, name: str) -> TopicDescription | None:
    future = admin.describe_topics(TopicCollection([name]), request_timeout=ANSWER_SECONDS)[name]
    try:
        description: TopicDescription = future.result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise
    return description


def _must_exist(admin: AdminClient, name: str, config: Mapping[str, str]) -> TopicDescription:
    found = _described(admin, name)
    if found is None:
        message = f"kafka: topic {name!r} must exist at {config['bootstrap.servers']}; it does not; replay or create it"
        raise OperationError(message)
    return found


def _create(admin: AdminClient, new: NewTopic) -> None:
    try:
        admin.create_topics([new], request_timeout=ANSWER_SECONDS)[new.topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was faster: as good
            raise


def _wait_until_led(admin: AdminClient, name: str, config: Mapping[str, str]) -> int:
    """Wait: a topic just created is for a moment unknown or without leaders, and a request then fails."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        found = _described(admin, name)
        if found is not None and all(partition.leader is not None for partition in found.partitions):
            numbers = [partition.id for partition in found.partitions]
            return len(_listed(admin, name, numbers, OffsetSpec.latest()))  # answered by leaders that know they lead
        time.sleep(_LEADER_WAIT_SECONDS)
    raise no_answer(config)


def _listed(admin: AdminClient, topic: str, numbers: Iterable[int], spec: OffsetSpec) -> dict[int, int]:
    wanted = {TopicPartition(topic, number): spec for number in numbers}
    committed = IsolationLevel.READ_COMMITTED
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        futures = admin.list_offsets(wanted, isolation_level=committed, request_timeout=ANSWER_SECONDS)
        try:
            return {place.partition: future.result().offset for place, future in futures.items()}
        except KafkaException as error:
            if error.args[0].code() not in _NO_LEADER_YET or time.monotonic() > deadline:
                raise
        time.sleep(_LEADER_WAIT_SECONDS)
