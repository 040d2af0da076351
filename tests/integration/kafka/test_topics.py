"""Topics, offsets and counts on a real broker."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from fink_dagster.errors import OperationError
from fink_dagster.kafka import count, topics
from fink_dagster.kafka.clients import distribution_client, survey_client
from fink_dagster.kafka.user_topics import ensure_user_topics
from fink_dagster.settings import Settings

Config = dict[str, str]
Transaction = Callable[..., None]


@pytest.fixture
def config(settings: Settings) -> Config:
    return survey_client(settings)


@pytest.fixture
def name() -> str:
    return f"test_{uuid.uuid4().hex}"


@pytest.fixture
def transaction(config: Config, name: str) -> Transaction:
    """Write messages to partition 1 in one transaction, and commit, abort or leave it open."""
    producer = Producer({**config, "transactional.id": name})
    producer.init_transactions(30)

    def write(*values: bytes, end: str = "commit") -> None:
        producer.begin_transaction()
        for value in values:
            producer.produce(name, value, partition=1)
        producer.flush(30)
        if end == "commit":
            producer.commit_transaction(30)
        elif end == "abort":
            producer.abort_transaction(30)

    return write


def test_a_topic_is_ready_when_it_was_created(config: Config, name: str):
    """A topic just created is unknown, or without leader, for some moments: of a few in a row some met it."""
    for number in range(8):
        each = f"{name}_{number}"
        assert topics.ensure_topic(config, each, 16) == 16
        assert topics.offsets(config, each) == dict.fromkeys(range(16), (0, 0))
        assert list(count.read_all(config, each)) == []


def test_only_topics_that_exist_exist(config: Config, name: str):
    assert topics.existing_topics(config, [name]) == set()
    topics.ensure_topic(config, name, 1)
    assert topics.existing_topics(config, [name, name + "_other"]) == {name}


def test_asking_for_a_topic_does_not_create_it(config: Config, name: str):
    for ask in (topics.offsets, topics.topic_id, count.read_all):
        with pytest.raises(OperationError, match="must exist"):
            list(ask(config, name))
    assert topics.existing_topics(config, [name]) == set()


def test_ensuring_twice_changes_nothing(config: Config, name: str):
    topics.ensure_topic(config, name, 3)
    identity = topics.topic_id(config, name)
    assert topics.ensure_topic(config, name, 16) == 3
    assert topics.topic_id(config, name) == identity


def test_a_topic_created_anew_has_another_identity(config: Config, name: str):
    topics.ensure_topic(config, name, 1)
    before = topics.topic_id(config, name)
    admin = AdminClient(config)
    admin.delete_topics([name])[name].result(30)
    while topics.existing_topics(config, [name]):
        pass
    topics.ensure_topic(config, name, 1)
    assert topics.topic_id(config, name) != before


def test_a_name_kafka_does_not_take_is_one_sentence(config: Config):
    with pytest.raises(OperationError, match="about topic 'a b'; it says 'Broker: Invalid topic'"):
        topics.ensure_topic(config, "a b", 1)


def test_markers_of_transactions_take_offsets_and_are_not_counted(config: Config, name: str, transaction: Transaction):
    topics.ensure_topic(config, name, 2)
    transaction(b"0", b"1", b"2")
    transaction(b"4", b"5", end="abort")
    transaction(b"7", b"8")
    assert topics.offsets(config, name) == {0: (0, 0), 1: (0, 10)}
    assert [message.value() for message in count.read_all(config, name)] == [b"0", b"1", b"2", b"7", b"8"]
    expected = {(0, 10): 5, (0, 3): 3, (3, 4): 0, (3, 7): 0, (2, 8): 2, (8, 9): 1, (9, 10): 0, (5, 5): 0}
    assert {each: count.messages_in(config, name, 1, *each) for each in expected} == expected


def test_an_open_transaction_ends_what_can_be_read(config: Config, name: str, transaction: Transaction):
    topics.ensure_topic(config, name, 2)
    transaction(b"0")
    transaction(b"2", end="leave open")
    assert topics.offsets(config, name)[1] == (0, 2)
    assert [message.value() for message in count.read_all(config, name)] == [b"0"]
    assert count.messages_in(config, name, 1, 0, 3) == 1


def test_what_arrives_after_the_call_is_not_read(config: Config, name: str):
    topics.ensure_topic(config, name, 1)
    producer = Producer(config)
    producer.produce(name, b"before")
    producer.flush(30)
    messages = iter(count.read_all(config, name))
    producer.produce(name, b"after")
    producer.flush(30)
    assert [message.value() for message in messages] == [b"before"]


@pytest.mark.parametrize(("partition", "words"), [(5, "no such partition"), (0, "the first still there is 2")])
def test_a_range_that_is_not_there_is_not_counted_as_empty(config: Config, name: str, partition: int, words: str):
    topics.ensure_topic(config, name, 1)
    producer = Producer(config)
    for _ in range(3):
        producer.produce(name, b"x")
    producer.flush(30)
    admin, where = AdminClient(config), TopicPartition(name, 0, 2)
    admin.delete_records([where])[where].result(30)
    assert topics.offsets(config, name) == {0: (2, 3)}
    with pytest.raises(OperationError, match=words):
        count.messages_in(config, name, partition, 0, 3)


def test_a_message_longer_than_kafkas_default_can_be_stored(config: Config, name: str):
    topics.ensure_topic(config, name, 1)
    fate: list[object] = []
    producer = Producer({**config, "message.max.bytes": 9_000_000})
    producer.produce(name, bytes(8_000_000), on_delivery=lambda error, _: fate.append(error))
    producer.flush(30)
    assert fate == [None]
    assert [len(message.value() or b"") for message in count.read_all(config, name)] == [8_000_000]


def test_user_topics_are_made_as_set_and_later_only_their_retention_follows(settings: Settings, name: str):
    config = distribution_client(settings)
    ensure_user_topics(settings.model_copy(update={"topic_partitions": 2, "topic_retention_days": 1.5}), [name])
    assert len(topics.offsets(config, name)) == 2
    assert _retention_ms(config, name) == 129_600_000
    ensure_user_topics(settings.model_copy(update={"topic_partitions": 6, "topic_retention_days": 3}), [name])
    assert len(topics.offsets(config, name)) == 2
    assert _retention_ms(config, name) == 259_200_000


def test_more_copies_than_brokers_are_refused_in_one_sentence(settings: Settings, name: str):
    with pytest.raises(OperationError, match=f"about topic '{name}'; it says"):
        ensure_user_topics(settings.model_copy(update={"topic_replication": 3}), [name])


def _retention_ms(config: Config, name: str) -> int:
    admin, resource = AdminClient(config), ConfigResource(ResourceType.TOPIC, name)
    return int(admin.describe_configs([resource])[resource].result(30)["retention.ms"].value)
