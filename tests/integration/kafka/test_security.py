"""Who may do what on a broker that asks for a user, tried by real clients: what is allowed, and all that is refused."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramMechanism,
)
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from fink_dagster.commands import users as users_command
from fink_dagster.errors import OperationError, TransientError, UserError
from fink_dagster.kafka import access, topics
from fink_dagster.kafka.clients import distribution_client, survey_options
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.kafka.transactions import Outgoing, TransactionalWriter
from fink_dagster.kafka.user_topics import ensure_user_topics
from fink_dagster.local import kafka
from fink_dagster.settings import KafkaCluster
from fink_dagster.surveys.base import Night
from tests.integration.kafka.conftest import PLATFORM
from tests.integration.streams.conftest import produce, stream_until_closed
from tests.toy import ztf_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

PASSWORDS = {"ann": "password-of-ann", "anna": "password-of-anna"}
GRANTED, OTHER, MARKERS = "fink_granted_ztf", "fink_other_ztf", "fink_ztf_20181129_markers"
SECONDS = 30.0


@pytest.fixture(scope="module", autouse=True)
def users(secured: Settings) -> None:
    """Ann may read one topic, Anna all; an alert is in each, and in the markers."""
    ensure_user_topics(secured, [GRANTED, OTHER])
    with TransactionalWriter(distribution_client(secured), "fink-test", MARKERS) as writer:
        writer.send("b", [Outgoing(topic, topic, 1, b"schema", b"alert") for topic in (GRANTED, OTHER)])
    access.add_user(secured, "ann", SecretStr(PASSWORDS["ann"]), [GRANTED], ["ztf"])
    access.add_user(secured, "anna", SecretStr(PASSWORDS["anna"]), None, ["ztf"])


def _as(settings: Settings, name: str, **changes: str) -> dict[str, str]:
    """Return the configuration fink-client makes of a user name and a password."""
    login = {"sasl.username": name, "sasl.password": PASSWORDS.get(name, ""), "sasl.mechanism": "SCRAM-SHA-512"}
    address = {"bootstrap.servers": settings.embedded_kafka_address, "security.protocol": "SASL_PLAINTEXT"}
    return {**address, **login, "log_level": "0", **changes}


def _read(config: dict[str, str], topic: str, group: str) -> bytes:
    """Return the first message a consumer is given, or raise the error it is given instead."""
    errors: list[KafkaError] = []
    ours = {"group.id": group, "auto.offset.reset": "earliest", "error_cb": errors.append}
    with closing(Consumer({**config, **ours})) as consumer:
        consumer.subscribe([topic])
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                consumer.commit(message, asynchronous=False)
                return message.value() or b""
            refusal = message.error() if message is not None else next(iter(_refusals(errors)), None)
            if refusal is not None:
                raise KafkaException(refusal)
    raise TimeoutError


def _refusals(errors: Sequence[KafkaError]) -> list[KafkaError]:
    """Return the errors that say no; a connection that is closed says it where no login is even tried."""
    closed = KafkaError._ALL_BROKERS_DOWN
    return [error for error in errors if error.code() in (KafkaError._AUTHENTICATION, closed)]


def _refused(ask: Any) -> int:
    with pytest.raises(KafkaException) as raised:
        ask()
    return int(raised.value.args[0].code())


@pytest.mark.parametrize("group", ["ann", "ann-laptop", "ann_2"])
def test_a_user_reads_the_topic_granted_in_groups_of_the_users_own(secured: Settings, group: str) -> None:
    assert _read(_as(secured, "ann"), GRANTED, group) == b"alert"


def test_who_may_read_all_reads_topics_that_come_later(secured: Settings) -> None:
    later = "fink_later_ztf"
    ensure_user_topics(secured, [later])
    with TransactionalWriter(distribution_client(secured), "fink-later", MARKERS) as writer:
        writer.send("b", [Outgoing("later", later, 1, b"schema", b"new")])
    assert _read(_as(secured, "anna"), later, "anna") == b"new"


@pytest.mark.parametrize(
    "changes",
    [
        {"sasl.password": "password-of-anna"},
        {"sasl.username": "nobody"},
        {"sasl.mechanism": "PLAIN"},
        {"sasl.mechanism": "PLAIN", "sasl.username": "_broker"},
    ],
    ids=["password of another", "no such user", "PLAIN", "the broker's name"],
)
def test_a_wrong_login_is_refused(secured: Settings, changes: dict[str, str]) -> None:
    wrong = _as(secured, "ann", **changes)
    assert _refused(lambda: _read(wrong, GRANTED, "ann")) == KafkaError._AUTHENTICATION


def test_who_does_not_log_in_is_not_answered(secured: Settings) -> None:
    silent = _as(secured, "ann", **{"security.protocol": "PLAINTEXT"})
    assert _refused(lambda: _read(silent, GRANTED, "ann")) == KafkaError._ALL_BROKERS_DOWN
    assert kafka.ready(secured)


@pytest.mark.parametrize(
    ("name", "topic"),
    [("ann", OTHER), ("ann", MARKERS), ("anna", MARKERS), ("anna", "__consumer_offsets")],
)
def test_a_topic_that_is_not_granted_is_refused(secured: Settings, name: str, topic: str) -> None:
    assert _refused(lambda: _read(_as(secured, name), topic, name)) == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize(("name", "group"), [("ann", "anna"), ("anna", "ann-laptop"), ("ann", "fink-reader")])
def test_the_group_of_somebody_else_is_refused(secured: Settings, name: str, group: str) -> None:
    assert _refused(lambda: _read(_as(secured, name), GRANTED, group)) == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_user_sees_no_topic_but_those_granted(secured: Settings) -> None:
    assert set(AdminClient(_as(secured, "ann")).list_topics(timeout=10).topics) == {GRANTED}
    seen = set(AdminClient(_as(secured, "anna")).list_topics(timeout=10).topics)
    assert {GRANTED, OTHER} <= seen
    assert not [topic for topic in seen if topic.startswith(("fink_ztf_", "_"))]


@pytest.mark.parametrize("name", ["ann", "anna"])
def test_nobody_but_the_platform_writes_makes_or_deletes(secured: Settings, name: str) -> None:
    config = _as(secured, name)
    before = sum(1 for _ in read_all(distribution_client(secured), GRANTED))
    fate: list[KafkaError | None] = []
    producer = Producer(config)
    producer.produce(GRANTED, b"forged", on_delivery=lambda error, _: fate.append(error))
    producer.flush(SECONDS)
    assert [error.code() for error in fate if error] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]
    zombie = Producer({**config, "transactional.id": "fink-test"})
    assert _refused(lambda: zombie.init_transactions(SECONDS)) == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    admin = AdminClient(config)
    made = admin.create_topics([NewTopic("fink_forged_ztf", 1)])["fink_forged_ztf"]
    assert _refused(made.result) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert _refused(admin.delete_topics([GRANTED])[GRANTED].result) == KafkaError.TOPIC_AUTHORIZATION_FAILED
    change = access.credential(name, SecretStr("a-new-password"), ScramMechanism.SCRAM_SHA_512)
    altered = admin.alter_user_scram_credentials([change])[name]
    assert _refused(altered.result) == KafkaError.CLUSTER_AUTHORIZATION_FAILED
    assert sum(1 for _ in read_all(distribution_client(secured), GRANTED)) == before
    assert existing_topics(distribution_client(secured), ["fink_forged_ztf"]) == set()


def test_the_controller_knows_no_login_but_the_brokers(secured: Settings) -> None:
    address = {"bootstrap.servers": f"127.0.0.1:{secured.kafka_controller_port}"}
    platform = distribution_client(secured)
    for login in (
        platform,
        {**platform, "sasl.mechanism": "PLAIN"},
        _as(secured, "ann", **{"sasl.mechanism": "PLAIN"}),
    ):
        refusal = _refused(lambda login=login: _read({**login, **address}, GRANTED, "ann"))
        assert refusal == KafkaError._AUTHENTICATION


def test_a_removed_user_is_refused_at_once_and_its_name_can_be_given_again(secured: Settings) -> None:
    word = SecretStr("password-of-carl")
    access.add_user(secured, "carl", word, None, ["ztf"])
    config = _as(secured, "carl", **{"sasl.password": "password-of-carl"})
    assert _read(config, GRANTED, "carl") == b"alert"
    with closing(Consumer({**config, "group.id": "carl-2", "auto.offset.reset": "earliest"})) as still_there:
        still_there.subscribe([OTHER])
        assert still_there.poll(SECONDS).error() is None
        access.remove_user(secured, "carl")
        answer = still_there.poll(SECONDS)
        assert answer.error().code() in (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
        )
    assert _refused(lambda: _read(config, GRANTED, "carl")) == KafkaError._AUTHENTICATION
    access.add_user(secured, "carl", word, [OTHER], ["ztf"])
    assert _read(config, OTHER, "carl") == b"alert"
    access.remove_user(secured, "carl")


def test_users_are_added_listed_and_removed_from_the_command_line(
    secured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in secured.environment().items():
        monkeypatch.setenv(variable, value)
    added = _typed("add", "dora", "--topics", GRANTED)
    assert added.exit_code == 0, added.output
    password = added.stdout.split()[-1]
    assert _read(_as(secured, "dora", **{"sasl.password": password}), GRANTED, "dora") == b"alert"
    assert isinstance(_typed("add", "dora").exception, OperationError)
    assert {"name": "dora", "topics": [GRANTED], "logs_in": True} in json.loads(_typed("list", "--json").stdout)
    assert _typed("remove", "dora").exit_code == 0
    assert isinstance(_typed("remove", "dora").exception, UserError)


def _typed(*words: str) -> Result:
    return CliRunner().invoke(users_command.app, words)


def test_the_platform_with_another_password_is_told_what_to_check(
    secured: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 2.0)
    ours = secured.distribution_kafka.model_copy(update={"password": SecretStr("wrong-password")})
    with pytest.raises(TransientError, match="check address, security protocol, user and password") as raised:
        existing_topics(distribution_client(secured.model_copy(update={"distribution_kafka": ours})), [GRANTED])
    assert "wrong-password" not in str(raised.value)


def test_a_platform_that_is_no_super_user_does_all_its_work_with_the_rights_the_operator_reads_of(
    secured: Settings,
) -> None:
    allowed = [
        *_rights(
            ResourceType.TOPIC, "fink_", "CREATE", "DESCRIBE", "READ", "WRITE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"
        ),
        *_rights(ResourceType.TRANSACTIONAL_ID, "fink-", "DESCRIBE", "WRITE"),
        *_rights(ResourceType.GROUP, "modest", "READ"),
        *_rights(ResourceType.BROKER, "kafka-cluster", "DESCRIBE", "ALTER"),
    ]
    admin = AdminClient(distribution_client(secured))
    change = access.credential("modest", SecretStr("password-of-modest"), ScramMechanism.SCRAM_SHA_512)
    admin.alter_user_scram_credentials([change])["modest"].result(SECONDS)
    for future in admin.create_acls(allowed).values():
        future.result(SECONDS)
    ours = KafkaCluster(
        address=secured.embedded_kafka_address,
        security_protocol="SASL_PLAINTEXT",
        username="modest",
        password=SecretStr("password-of-modest"),
        group_prefix="modest",
    )
    modest = secured.model_copy(update={"distribution_kafka": ours})
    topic, config = "fink_modest_ztf", distribution_client(modest)
    ensure_user_topics(modest, [topic])
    ensure_user_topics(modest.model_copy(update={"topic_retention_days": 1.0}), [topic])
    with TransactionalWriter(config, "fink-distribution-modest", "fink_ztf_20200101_markers") as writer:
        sent = writer.send("b", [Outgoing("modest", topic, 1, b"schema", b"alert")])
        assert writer.markers() == sent
    assert [message.value() for message in read_all(config, topic)] == [b"alert"]
    access.add_user(modest, "eve", SecretStr("password-of-eve"), [topic], ["ztf"])
    assert "eve" in [user.name for user in access.users(modest)]
    access.remove_user(modest, "eve")
    with pytest.raises(OperationError):
        ensure_user_topics(modest, ["other_topic"])


def _rights(kind: ResourceType, name: str, *operations: str) -> list[AclBinding]:
    pattern = ResourcePatternType.LITERAL if kind == ResourceType.BROKER else ResourcePatternType.PREFIXED
    allow = AclPermissionType.ALLOW
    return [AclBinding(kind, name, pattern, "User:modest", "*", AclOperation[each], allow) for each in operations]


def test_spark_reads_the_surveys_topics_with_the_platforms_login(secured: Settings, spark: SparkSession) -> None:
    topic = "ztf_20180820_programid1"
    produce(secured, topic, [b"one", b"two"])
    rows = spark.read.format("kafka").options(**survey_options(secured), subscribe=topic).load()
    assert sorted(bytes(row["value"]) for row in rows.collect()) == [b"one", b"two"]


@pytest.mark.slow
def test_a_night_passes_through_a_broker_that_asks_for_a_user_and_leaves_no_password_anywhere(
    secured: Settings, spark: SparkSession, settings: Settings, packets: list[bytes]
) -> None:
    """The embedded broker is both Kafkas here: the survey's is replayed to and read with the same login."""
    ports = {"kafka_port": secured.kafka_port, "kafka_controller_port": secured.kafka_controller_port}
    both = settings.model_copy(update={**ports, "distribution_kafka": secured.distribution_kafka})
    survey = ztf_named("secured")
    produce(both, "ztf_20180819_programid1", packets[:6])
    account = stream_until_closed(spark, both, survey, Night("2018-08-19"))
    assert account.closes, account.why_open
    assert account.received == 6
    assert account.distributed["fink_secured_20180819"] == account.science > 0
    message = next(iter(read_all(distribution_client(both), "fink_secured_20180819")))
    assert [name for name, _ in message.headers() or []] == ["candid", "night", "schema"]
    assert _holding(_secrets(), secured.data, settings.data) == []


def test_no_password_is_in_the_list_of_processes(secured: Settings) -> None:
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        assert not any(secret.decode() in line for secret in _secrets()), process.pid


def test_what_passwords_are_checked_against_is_for_nobody_else_to_read(secured: Settings) -> None:
    assert (secured.data / "kafka").stat().st_mode & 0o077 == 0


def _secrets() -> list[bytes]:
    return [PLATFORM.encode(), PLATFORM.replace("\\", "\\\\").replace('"', '\\"').encode(), *_of_users()]


def _of_users() -> list[bytes]:
    return [password.encode() for password in PASSWORDS.values()]


def _holding(secrets: list[bytes], *folders: Path) -> list[str]:
    """Return the files that hold a secret."""
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                file = Path(place, name)
                if file.is_file() and any(secret in file.read_bytes() for secret in secrets):
                    found.append(str(file))
    return found
