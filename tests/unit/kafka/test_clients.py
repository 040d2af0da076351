"""How a cluster's settings become configuration, and librdkafka's errors sentences. No broker."""

from __future__ import annotations

import re

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import FinkError, OperationError, TransientError, UserError
from fink_dagster.kafka import clients
from fink_dagster.settings import KafkaCluster, Settings

ADDRESS = "kafka.example.org:9094"
SECURE = {"security_protocol": "SASL_SSL", "username": "fink"}


def secured(**changes: str) -> KafkaCluster:
    return KafkaCluster(**{**SECURE, "password": "sesame", **changes})


def test_an_embedded_cluster_needs_no_login():
    config = clients.client_config(KafkaCluster(), "127.0.0.1:19092")
    assert config["bootstrap.servers"] == "127.0.0.1:19092"
    assert not [name for name in config if name.startswith("sasl")]
    assert not [name for name in clients.spark_options(KafkaCluster(), ADDRESS) if "sasl" in name]


def test_a_broker_on_this_machine_is_found_with_the_network_off():
    # Asked for one family of addresses, the resolver finds none, not even 127.0.0.1, where only loopback is up.
    assert "broker.address.family" not in clients.client_config(KafkaCluster(), "127.0.0.1:19092")


def test_librdkafka_accepts_the_configuration():
    for cluster in (KafkaCluster(), secured(), secured(sasl_mechanism="PLAIN")):
        AdminClient(clients.client_config(cluster, ADDRESS))


def test_librdkafka_and_spark_log_in_alike():
    config, options = clients.client_config(secured(), ADDRESS), clients.spark_options(secured(), ADDRESS)
    assert config["bootstrap.servers"] == options["kafka.bootstrap.servers"] == ADDRESS
    assert config["security.protocol"] == options["kafka.security.protocol"] == "SASL_SSL"
    assert config["sasl.mechanism"] == options["kafka.sasl.mechanism"] == "SCRAM-SHA-512"
    assert options["kafka.sasl.jaas.config"] == (
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="fink" password="sesame";'
    )


def test_group_names_begin_with_the_prefix_acls_ask_for():
    cluster = KafkaCluster(group_prefix="idfink-07")
    assert clients.client_config(cluster, ADDRESS)["group.id"].startswith("idfink-07")
    assert clients.spark_options(cluster, ADDRESS)["groupIdPrefix"] == "idfink-07"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1))
def test_no_password_can_end_its_place_in_the_jaas_line(password: str):
    try:
        line = clients.spark_options(secured(password=password), ADDRESS)["kafka.sasl.jaas.config"]
    except UserError:
        assert not password.isprintable()
        return
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    assert [re.sub(r"\\(.)", r"\1", text) for text in quoted] == ["fink", password]
    assert line.endswith('";')


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (KafkaCluster(security_protocol="TLS"), "security protocol of .* got 'TLS'"),
        (secured(sasl_mechanism="GSSAPI"), "SASL mechanism .* got 'GSSAPI'"),
        (KafkaCluster(**SECURE), "must have a user and a password"),
        (secured(username="line\nbreak"), "control character"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(cluster: KafkaCluster, words: str):
    for build in (clients.client_config, clients.spark_options):
        with pytest.raises(UserError, match=words):
            build(cluster, ADDRESS)


def test_no_message_holds_the_password():
    for cluster in (
        secured(sasl_mechanism="GSSAPI"),
        secured(username="line\nbreak"),
        secured(security_protocol="TLS"),
    ):
        with pytest.raises(UserError) as raised:
            clients.client_config(cluster, ADDRESS)
        assert "sesame" not in str(raised.value)


def test_each_cluster_without_address_is_the_embedded_one():
    settings = Settings(kafka_port=29999, distribution_kafka=KafkaCluster(address=ADDRESS))
    assert clients.survey_client(settings)["bootstrap.servers"] == "127.0.0.1:29999"
    assert clients.distribution_client(settings)["bootstrap.servers"] == ADDRESS


@pytest.mark.parametrize(
    ("cluster", "address", "words"),
    [
        (KafkaCluster(), "127.0.0.1:19092", r"must answer at 127\.0\.0\.1:19092; none did in 10 s; .*make up"),
        (KafkaCluster(), ADDRESS, "check the address and the network"),
        (secured(), ADDRESS, "check address, security protocol, user and password"),
    ],
)
def test_a_silent_broker_is_transient_and_the_way_out_fits(cluster: KafkaCluster, address: str, words: str):
    config = clients.client_config(cluster, address)
    with pytest.raises(TransientError, match=words), clients.answering(config):
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))


@pytest.mark.parametrize("code", [KafkaError.LEADER_NOT_AVAILABLE, KafkaError._NOENT])
def test_a_partition_that_has_no_leader_at_the_moment_is_transient_too(code: int):
    config = clients.client_config(KafkaCluster(), ADDRESS)
    with pytest.raises(TransientError, match="what was asked about topic 'x'"), clients.answering(config, "topic 'x'"):
        raise KafkaException(KafkaError(code))


def test_a_refusal_is_no_transient_error():
    config = clients.client_config(KafkaCluster(), ADDRESS)
    with (
        pytest.raises(OperationError, match="what was asked about topic 'x'") as raised,
        clients.answering(config, "topic 'x'"),
    ):
        raise KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert not isinstance(raised.value, TransientError)
    assert isinstance(raised.value, FinkError)
