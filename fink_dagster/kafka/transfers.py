"""The topics of data transfers: made anew, closed with their schema, listed and removed.

A transfer is a topic of alerts and, once that is whole, a second one with the schema, without which fink-client begins
nothing. Which alerts are sent, and how, is said in ``stages.transfer``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fink_dagster.errors import UserError
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering, as_ours, no_answer
from fink_dagster.kafka.topics import MAX_MESSAGE_BYTES, all_topics, ensure_topic, existing_topics, remove_topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

PARTITIONS = 10
"""As many as fink-client takes for granted when it starts a transfer from the beginning."""
SCHEMA_SUFFIX = "_schema"
SCHEMA_COPIES = 1000
"""Each start of fink-client reads and commits one message of the schema topic: a group can start as often."""
DELIVERY_SECONDS = 60.0

_NAME = re.compile(r"ftransfer_[a-z][a-z0-9_]{0,40}_\d{4}-\d{2}-\d{2}_[a-z0-9]{1,20}")


def transfer_topic(survey: str, date: str, identity: str) -> str:
    """Return the name of a transfer's topic, ``ftransfer_<survey>_<date>_<id>``, as upstream names it.

    Parameters
    ----------
    survey : str
        Whose alerts.
    date : str
        Day of the transfer, ``YYYY-MM-DD``.
    identity : str
        What tells it from others of the day: up to 20 of a-z and 0-9.

    Raises
    ------
    UserError
        When that would be no such name.
    """
    return must_be_a_transfer(f"ftransfer_{survey}_{date}_{identity}")


def must_be_a_transfer(topic: str) -> str:
    """Return the name of a transfer's topic.

    Raises
    ------
    UserError
        When it is none.
    """
    if not _NAME.fullmatch(topic):
        message = (
            "transfer: must be called ftransfer_<survey>_<YYYY-MM-DD>_<up to 20 of a-z and 0-9>; "
            f"got {topic[:100]!r}; choose another id or see `fink-dagster transfer --list`"
        )
        raise UserError(message)
    return topic


def must_be_new(config: Mapping[str, str], topic: str) -> None:
    """Do nothing where neither topic of a transfer is there.

    Raises
    ------
    UserError
        When one is.
    TransientError
        When no broker answers.
    """
    if existing_topics(config, [topic, topic + SCHEMA_SUFFIX]):
        raise _taken(topic)


def create_transfer(config: Mapping[str, str], topic: str, *, retention_ms: int, replication: int) -> None:
    """Make the topic of a transfer; there must be none of the name.

    Parameters
    ----------
    config : mapping
        The cluster, as ``clients`` gives it.
    topic : str
        The transfer's topic.
    retention_ms : int
        How long a message is kept [ms].
    replication : int
        How many copies of it there are, each on a broker of its own.

    Raises
    ------
    UserError
        When the name is taken.
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    must_be_new(config, topic)
    limits = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "retention.ms": str(retention_ms)}
    new = NewTopic(topic, num_partitions=PARTITIONS, replication_factor=replication, config=limits)
    admin = AdminClient(dict(config))  # named: the answer never comes when the client is collected before it
    with answering(config, f"topic {topic!r}"):
        try:
            admin.create_topics([new], request_timeout=ANSWER_SECONDS)[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                raise _taken(topic) from None
            raise
    try:
        ensure_topic(config, topic, PARTITIONS)
    except BaseException:
        remove_transfer(config, topic)
        raise


def publish_schema(config: Mapping[str, str], topic: str, schema: str, *, retention_ms: int, replication: int) -> None:
    """Make the schema topic of a transfer, which says that the transfer is whole.

    Parameters
    ----------
    config : mapping
        The cluster, as ``clients`` gives it.
    topic : str
        The transfer's topic.
    schema : str
        Avro schema of its messages as JSON; it is the key of every message of the schema topic.
    retention_ms, replication : int
        As of the transfer's topic.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    name, errors = topic + SCHEMA_SUFFIX, list[KafkaError]()

    def report(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            errors.append(error)

    ensure_topic(config, name, 1, retention_ms=retention_ms, replication=replication)
    limits = {"message.timeout.ms": int(DELIVERY_SECONDS * 1000), "message.max.bytes": MAX_MESSAGE_BYTES}
    producer = Producer({**config, **limits, "enable.idempotence": True, "compression.type": "lz4"})
    with answering(config, f"topic {name!r}"):
        for _ in range(SCHEMA_COPIES):
            producer.produce(name, topic.encode(), schema.encode(), on_delivery=report)
            producer.poll(0)
        left = producer.flush(DELIVERY_SECONDS)
    if errors:
        raise as_ours(errors[0], config, f"topic {name!r}", DELIVERY_SECONDS)
    if left:
        raise no_answer(config, DELIVERY_SECONDS)


def transfers(config: Mapping[str, str]) -> dict[str, bool]:
    """Return the topics of all transfers by name, and whether each is whole: one that was cut off is not.

    Raises
    ------
    TransientError
        When no broker answers.
    """
    names = all_topics(config)
    return {name: name + SCHEMA_SUFFIX in names for name in sorted(names) if _NAME.fullmatch(name)}


def remove_transfer(config: Mapping[str, str], topic: str) -> None:
    """Remove the topics of a transfer, the schema first; what is not there is passed over.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    for name in (topic + SCHEMA_SUFFIX, must_be_a_transfer(topic)):
        remove_topic(config, name)


def _taken(topic: str) -> UserError:
    return UserError(f"transfer: must get a topic of its own; got {topic!r}, which is there; choose another id")
