"""How a Kafka cluster is reached: one :class:`KafkaCluster` as configuration for librdkafka and for Spark.

Addresses, security and the sentence for a broker that does not answer. What is then asked of the cluster belongs to
``topics``, ``count`` and ``transactions``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from fink_dagster.errors import OperationError, TransientError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fink_dagster.settings import KafkaCluster, Settings

ANSWER_SECONDS = 10.0
"""How long a broker may take to answer before a command gives up on it; every request is given this long."""

_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_SILENT = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
    }
)
_LEADERLESS = frozenset({KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._NOENT})
"""A partition has no leader yet, as of a topic just made, or no more; librdkafka has a code of its own for it."""


def client_config(cluster: KafkaCluster, address: str) -> dict[str, str]:
    """Return what every librdkafka client of a cluster is configured with.

    Parameters
    ----------
    cluster : KafkaCluster
        Security and names.
    address : str
        Bootstrap servers, ``host:port[,host:port]``.

    Raises
    ------
    UserError
        When the security settings contradict themselves.
    """
    config = {
        "bootstrap.servers": address,
        "security.protocol": _protocol(cluster, address),
        "group.id": f"{cluster.group_prefix}-reader",  # nothing is ever committed under it; ACLs ask for the prefix
        "log_level": "0",  # what matters arrives as an error; librdkafka would also print it, line after line
        "log.connection.close": "false",
        "socket.connection.setup.timeout.ms": str(int(ANSWER_SECONDS * 1000)),
    }
    if config["security.protocol"].startswith("SASL"):
        username, password = _login(cluster, address)
        config |= {"sasl.mechanism": cluster.sasl_mechanism, "sasl.username": username, "sasl.password": password}
    return config


def spark_options(cluster: KafkaCluster, address: str) -> dict[str, str]:
    """Return the options with which Spark's Kafka source reads from a cluster.

    Raises
    ------
    UserError
        When the security settings contradict themselves.
    """
    options = {
        "kafka.bootstrap.servers": address,
        "kafka.security.protocol": _protocol(cluster, address),
        "groupIdPrefix": cluster.group_prefix,
    }
    if options["kafka.security.protocol"].startswith("SASL"):
        username, password = _login(cluster, address)
        login = f"username={_quoted(username)} password={_quoted(password)}"
        options["kafka.sasl.mechanism"] = cluster.sasl_mechanism
        options["kafka.sasl.jaas.config"] = f"{_LOGIN_MODULES[cluster.sasl_mechanism]} required {login};"
    return options


def survey_client(settings: Settings) -> dict[str, str]:
    """Return the librdkafka configuration of the Kafka alerts come from."""
    return client_config(settings.survey_cluster, settings.survey_kafka_address)


def survey_options(settings: Settings) -> dict[str, str]:
    """Return the options with which Spark reads from the Kafka alerts come from."""
    return spark_options(settings.survey_cluster, settings.survey_kafka_address)


def distribution_client(settings: Settings) -> dict[str, str]:
    """Return the librdkafka configuration of the Kafka users read from."""
    return client_config(settings.distribution_kafka, settings.distribution_kafka_address)


@contextmanager
def answering(config: Mapping[str, str], about: str = "") -> Iterator[None]:
    """Turn librdkafka's errors inside the block into ours.

    Parameters
    ----------
    config : mapping
        What the client in the block was configured with.
    about : str
        What the request is about, such as ``topic x``, for the sentence.

    Raises
    ------
    TransientError
        When no broker answered.
    OperationError
        When a broker refused.
    """
    try:
        yield
    except KafkaException as error:
        raise as_ours(error.args[0], config, about) from None


def as_ours(
    error: KafkaError, config: Mapping[str, str], about: str = "", seconds: float = ANSWER_SECONDS
) -> OperationError:
    """Return the error of ours that says in one sentence what one of librdkafka means.

    Parameters
    ----------
    error : KafkaError
        What librdkafka reports.
    config : mapping
        What its client was configured with.
    about : str
        What the request was about, such as ``topic x``.
    seconds : float
        How long an answer was waited for [s].
    """
    if error.code() in _SILENT:
        return no_answer(config, seconds)
    asked = f"what was asked about {about}" if about else "what was asked"
    kind = TransientError if error.code() in _LEADERLESS else OperationError
    return kind(f"kafka: {config['bootstrap.servers']} must do {asked}; it says {error.str()!r}")


def no_answer(config: Mapping[str, str], seconds: float = ANSWER_SECONDS) -> TransientError:
    """Return the error that says no broker answered in so many seconds, and what to do."""
    address = config["bootstrap.servers"]
    wanted = f"a broker must answer at {address}; none did in {seconds:.0f} s"
    return TransientError(f"kafka: {wanted}; {_way_out(address, config)}")


def _way_out(address: str, config: Mapping[str, str]) -> str:
    if config.get("security.protocol", "PLAINTEXT") != "PLAINTEXT":
        return "check address, security protocol, user and password"
    if address.startswith(("127.0.0.1:", "localhost:")):
        return "start the platform with `make up`"
    return "check the address and the network"


def _protocol(cluster: KafkaCluster, address: str) -> str:
    if cluster.security_protocol not in _PROTOCOLS:
        got, known = cluster.security_protocol[:40], ", ".join(_PROTOCOLS)
        message = f"kafka: security protocol of {address} must be one of {known}; got {got!r}; correct the setting"
        raise UserError(message)
    return cluster.security_protocol


def _login(cluster: KafkaCluster, address: str) -> tuple[str, str]:
    if cluster.sasl_mechanism not in _LOGIN_MODULES:
        got, known = cluster.sasl_mechanism[:40], ", ".join(_LOGIN_MODULES)
        message = f"kafka: SASL mechanism of {address} must be one of {known}; got {got!r}; correct the setting"
        raise UserError(message)
    username, password = cluster.username, cluster.password.get_secret_value() if cluster.password else None
    if not username or not password:
        wanted = f"{cluster.security_protocol} at {address} must have a user and a password"
        message = f"kafka: {wanted}; got none; set its USERNAME and PASSWORD"
        raise UserError(message)
    if not (username + password).isprintable():
        message = f"kafka: user and password of {address} must be printable text; got a control character; correct them"
        raise UserError(message)
    return username, password


def _quoted(text: str) -> str:
    """Write a value of a JAAS line; unescaped, a quote in a password would end it and begin an option."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
