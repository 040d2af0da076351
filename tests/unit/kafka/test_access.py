"""Adding, listing and removing users, with an admin client written by hand. No broker."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ScramMechanism, UserScramCredentialDeletion
from pydantic import SecretStr

from fink_dagster.errors import OperationError, UserError
from fink_dagster.kafka import access
from fink_dagster.settings import KafkaCluster, Settings

SASL = {"security_protocol": "SASL_PLAINTEXT", "username": "fink", "password": "of the platform"}
PASSWORD = SecretStr("correct-horse-battery")


def _known(outcome: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(outcome, KafkaError):
        future.set_exception(KafkaException(outcome))
    else:
        future.set_result(outcome)
    return future


class Cluster:
    """Credentials and rules of a cluster; ``refuses`` is the error of the next change of a credential."""

    def __init__(self) -> None:
        self.credentials: dict[str, Any] = {"fink": self._info()}
        self.rules: list[Any] = []
        self.refuses: KafkaError | None = None

    def __call__(self, _config: dict[str, str]) -> Cluster:
        return self

    @staticmethod
    def _info() -> SimpleNamespace:
        return SimpleNamespace(scram_credential_infos=[SimpleNamespace(mechanism=ScramMechanism.SCRAM_SHA_512)])

    def describe_user_scram_credentials(self, **_: Any) -> Future[Any]:
        return _known(dict(self.credentials))

    def describe_acls(self, _filter: Any, **_: Any) -> Future[Any]:
        return _known(list(self.rules))

    def create_acls(self, rules: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        self.rules += rules
        return {rule: _known(None) for rule in rules}

    def delete_acls(self, filters: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        self.rules = [rule for rule in self.rules if rule.principal != filters[0].principal]
        return {filters[0]: _known([])}

    def alter_user_scram_credentials(self, changes: list[Any], **_: Any) -> dict[str, Future[Any]]:
        (change,) = changes
        if self.refuses is not None:
            return {change.user: _known(self.refuses)}
        if isinstance(change, UserScramCredentialDeletion):
            del self.credentials[change.user]
        else:
            self.credentials[change.user] = self._info()
        return {change.user: _known(None)}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(access, "AdminClient", made)
    return made


@pytest.fixture
def settings() -> Settings:
    return Settings(distribution_kafka=KafkaCluster(**SASL))


def test_a_user_is_listed_and_after_removal_nothing_is_left(cluster: Cluster, settings: Settings) -> None:
    access.add_user(settings, "alice", PASSWORD, ["fink_a_ztf"], ["ztf"])
    assert access.users(settings) == [access.User("alice", ("fink_a_ztf",))]
    access.remove_user(settings, "alice")
    assert access.users(settings) == []
    assert cluster.rules == []
    assert list(cluster.credentials) == ["fink"]


def test_a_user_who_is_there_keeps_password_and_rights(cluster: Cluster, settings: Settings) -> None:
    access.add_user(settings, "alice", PASSWORD, ["fink_a_ztf"], ["ztf"])
    before = list(cluster.rules)
    with pytest.raises(OperationError, match="user alice: must be a new one"):
        access.add_user(settings, "alice", PASSWORD, None, ["ztf"])
    assert cluster.rules == before


def test_an_addition_cut_short_lets_nobody_in_is_seen_and_can_be_undone(cluster: Cluster, settings: Settings) -> None:
    cluster.refuses = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED)
    with pytest.raises(OperationError, match="about user 'alice'"):
        access.add_user(settings, "alice", PASSWORD, None, ["ztf"])
    (seen,) = access.users(settings)
    assert (seen.name, seen.logs_in) == ("alice", False)
    cluster.refuses = None
    access.remove_user(settings, "alice")
    access.add_user(settings, "alice", PASSWORD, ["fink_a_ztf"], ["ztf"])
    assert access.users(settings) == [access.User("alice", ("fink_a_ztf",))]


@pytest.mark.parametrize(
    "name", ["", "a b", "a-b", "a_b", "../x", "User:*", "*", "a" * 33, "_broker", "fink", "1a", "é"]
)
def test_a_name_that_is_strange_or_the_platforms_own_is_refused(
    cluster: Cluster, settings: Settings, name: str
) -> None:
    with pytest.raises(UserError, match="user name: must be a letter"):
        access.add_user(settings, name, PASSWORD, None, ["ztf"])
    assert cluster.rules == []


@pytest.mark.parametrize("text", ["short", "x" * 129, "with a space in it", "with\ttab-in-it", "kennwört-lang-genug"])
def test_a_password_that_cannot_be_typed_everywhere_is_refused_and_not_repeated(
    cluster: Cluster, settings: Settings, text: str
) -> None:
    with pytest.raises(UserError, match="password: must be 12 to 128") as raised:
        access.add_user(settings, "alice", SecretStr(text), None, ["ztf"])
    assert text not in str(raised.value)
    assert cluster.rules == []


def test_who_is_not_there_cannot_be_removed(cluster: Cluster, settings: Settings) -> None:
    with pytest.raises(UserError, match="there is none at all"):
        access.remove_user(settings, "alice")
    access.add_user(settings, "alice", PASSWORD, None, ["ztf"])
    with pytest.raises(UserError, match="did you mean 'alice'"):
        access.remove_user(settings, "alicia")
    with pytest.raises(UserError, match="user: must be one"):
        access.remove_user(settings, "fink")
    assert "fink" in cluster.credentials


@pytest.mark.parametrize(
    "ours", [{}, {"security_protocol": "SSL"}, {**SASL, "sasl_mechanism": "PLAIN"}], ids=["open", "SSL", "PLAIN"]
)
def test_where_kafka_keeps_no_passwords_there_are_no_users(cluster: Cluster, ours: dict[str, str]) -> None:
    settings = Settings(distribution_kafka=KafkaCluster(**ours))
    for ask in (
        access.users,
        lambda s: access.remove_user(s, "a"),
        lambda s: access.add_user(s, "a", PASSWORD, None, []),
    ):
        with pytest.raises(UserError, match="must ask for a user by SASL and SCRAM"):
            ask(settings)
