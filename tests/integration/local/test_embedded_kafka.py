import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.local import kafka, process
from fink_dagster.settings import KafkaCluster

FIVE_MEGABYTES = b"x" * 5_000_000


@pytest.fixture(autouse=True)
def broker(settings):
    kafka.start(settings)
    return kafka.server(settings)


@pytest.fixture(scope="module", autouse=True)
def stopped_at_the_end(settings):
    yield
    kafka.stop(settings)
    assert process.family(kafka.server(settings)) == []


@pytest.fixture
def admin(settings):
    return AdminClient({"bootstrap.servers": settings.embedded_kafka_address, "log_level": 0})


def create(admin, name):
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)


def produce(settings, topic, *values, **config):
    """Produce the values as one transaction."""
    address = settings.embedded_kafka_address
    producer = Producer({"bootstrap.servers": address, "transactional.id": topic, "log_level": 0, **config})
    producer.init_transactions(60)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.commit_transaction(60)


def consume(settings, topic, count):
    address = settings.embedded_kafka_address
    config = {"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer({**config, "enable.auto.commit": False, "fetch.message.max.bytes": 10_000_000})
    consumer.subscribe([topic])
    values, deadline = [], time.monotonic() + 60
    while len(values) < count and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            values.append(message.value())
    consumer.close()
    return values


def test_every_listener_is_on_loopback_at_the_ports_asked_for(settings, broker, listeners):
    expected = {("127.0.0.1", settings.kafka_port), ("127.0.0.1", settings.kafka_controller_port)}
    assert listeners(broker) == expected


def test_starting_a_healthy_broker_again_keeps_it(settings, broker):
    before = process.running(broker)
    kafka.start(settings)
    assert process.running(broker) == before


def test_transactions_of_long_messages_survive_a_clean_stop(settings, admin):
    create(admin, "long")
    produce(settings, "long", FIVE_MEGABYTES, b"short", **{"message.max.bytes": 10_000_000})
    kafka.stop(settings)
    kafka.start(settings)
    assert consume(settings, "long", 2) == [FIVE_MEGABYTES, b"short"]


def test_messages_survive_a_killed_broker(settings, broker, admin):
    create(admin, "killed")
    produce(settings, "killed", b"one", b"two")
    process.running(broker).kill()
    kafka.start(settings)
    assert consume(settings, "killed", 2) == [b"one", b"two"]


def test_a_topic_nobody_made_does_not_come_to_be(settings, admin):
    assert consume_nothing(settings, "misspelt")
    assert "misspelt" not in admin.list_topics(timeout=10).topics


def consume_nothing(settings, topic):
    consumer = Consumer({"bootstrap.servers": settings.embedded_kafka_address, "group.id": "x", "log_level": 0})
    consumer.subscribe([topic])
    message = consumer.poll(3)
    consumer.close()
    return message is None or message.error() is not None


def test_a_taken_port_is_named_with_its_setting(settings, tmp_path):
    other = settings.model_copy(update={"data": tmp_path})
    wanted = f"kafka: port {settings.kafka_port} must be free; got a port in use .*; set FINK_KAFKA_PORT to a free port"
    with pytest.raises(OperationError, match=wanted):
        kafka.start(other)


def test_another_broker_on_the_port_is_not_taken_for_ours(settings, tmp_path):
    assert not kafka.ready(settings.model_copy(update={"data": tmp_path}))


def test_a_broker_stays_within_its_memory(broker):
    assert process.rss_mib(broker) < 700


@pytest.mark.slow
def test_security_is_switched_on_given_another_password_and_off_over_the_same_data(settings, admin):
    create(admin, "kept")
    produce(settings, "kept", b"before")
    for password in ("first-password", "second-password"):
        secured = with_password(settings, password)
        assert not kafka.ready(secured)
        kafka.start(secured)
        assert kafka.ready(secured)
        assert [message.value() for message in read_all(distribution_client(secured), "kept")] == [b"before"]
    assert not kafka.ready(with_password(settings, "first-password"))
    assert not kafka.ready(settings)
    kafka.start(settings)
    assert consume(settings, "kept", 1) == [b"before"]


def with_password(settings, password):
    ours = KafkaCluster(security_protocol="SASL_PLAINTEXT", username="fink", password=password)
    return settings.model_copy(update={"distribution_kafka": ours})


def test_no_broker_is_ready_where_none_runs(settings):
    kafka.stop(settings)
    assert not kafka.ready(settings)
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": settings.embedded_kafka_address, "log_level": 0}).list_topics(timeout=1)
