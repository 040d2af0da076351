"""What is asked of a cluster about topics, with an admin client written by hand. No broker."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka import topics

CONFIG = {"bootstrap.servers": "127.0.0.1:1"}


def known(outcome: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(outcome, int) and not isinstance(outcome, bool) and outcome in ERRORS:
        future.set_exception(KafkaException(KafkaError(outcome)))
    else:
        future.set_result(outcome)
    return future


ERRORS = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.TOPIC_ALREADY_EXISTS}


class Admin:
    """Answers each kind of request with the outcomes given, in turn, the last one for ever."""

    def __init__(self, *, described: list[Any], listed: list[Any], created: Any = None) -> None:
        self.described, self.listed, self.created = described, listed, created
        self.new: list[Any] = []

    def __call__(self, _config: dict[str, str]) -> Admin:
        return self

    def describe_topics(self, names: Any, **_options: Any) -> dict[str, Future[Any]]:
        return {"t": known(self._next(self.described))}

    def create_topics(self, new: list[Any], **_options: Any) -> dict[str, Future[Any]]:
        self.new += new
        return {"t": known(self.created)}

    def list_offsets(self, wanted: dict[Any, Any], **_options: Any) -> dict[Any, Future[Any]]:
        outcome = self._next(self.listed)
        return {place: known(outcome) for place in wanted}

    @staticmethod
    def _next(outcomes: list[Any]) -> Any:
        return outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]


def topic(partitions: int = 2, *, led: bool = True) -> SimpleNamespace:
    leader = object() if led else None
    return SimpleNamespace(partitions=[SimpleNamespace(id=number, leader=leader) for number in range(partitions)])


AT_ZERO = SimpleNamespace(offset=0)
ABSENT = KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch):
    def put(admin: Admin) -> Admin:
        monkeypatch.setattr(topics, "AdminClient", admin)
        monkeypatch.setattr(topics, "_LEADER_WAIT_SECONDS", 0.001)
        return admin

    return put


def test_a_new_topic_is_ready_only_when_its_leaders_know_that_they_lead(use):
    admin = use(
        Admin(
            described=[ABSENT, ABSENT, topic(led=False), topic()],
            listed=[KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.NOT_LEADER_FOR_PARTITION, AT_ZERO],
        )
    )
    assert topics.ensure_topic(CONFIG, "t", 2) == 2
    assert len(admin.listed) == 1


def test_a_survey_topic_keeps_its_messages_for_ever(use):
    admin = use(Admin(described=[ABSENT, topic()], listed=[AT_ZERO]))
    topics.ensure_topic(CONFIG, "t", 2)
    assert [new.config["retention.ms"] for new in admin.new] == ["-1"]


def test_a_compacted_topic_has_no_retention(use):
    admin = use(Admin(described=[ABSENT, topic()], listed=[AT_ZERO]))
    topics.ensure_topic(CONFIG, "t", 2, compact=True)
    assert [new.config.get("cleanup.policy") for new in admin.new] == ["compact"]
    assert "retention.ms" not in admin.new[0].config


def test_a_topic_that_exists_is_left_with_the_partitions_it_has(use):
    admin = use(Admin(described=[topic(5)], listed=[AT_ZERO]))
    assert topics.ensure_topic(CONFIG, "t", 16) == 5
    assert admin.new == []


def test_another_process_may_be_faster_to_create_it(use):
    use(Admin(described=[ABSENT, topic()], listed=[AT_ZERO], created=KafkaError.TOPIC_ALREADY_EXISTS))
    assert topics.ensure_topic(CONFIG, "t", 2) == 2


def test_a_topic_that_never_gets_a_leader_is_given_up(use, monkeypatch):
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 0.05)
    use(Admin(described=[topic(led=False)], listed=[AT_ZERO]))
    with pytest.raises(TransientError, match="must answer"):
        topics.ensure_topic(CONFIG, "t", 2)


@pytest.mark.parametrize("ask", [topics.offsets, topics.topic_id])
def test_an_absent_topic_is_said_by_name(use, ask):
    use(Admin(described=[ABSENT], listed=[AT_ZERO]))
    with pytest.raises(OperationError, match=r"topic 't' must exist at 127\.0\.0\.1:1"):
        ask(CONFIG, "t")


def test_no_broker_is_one_sentence(monkeypatch):
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 0.2)
    with pytest.raises(TransientError, match=r"a broker must answer at 127\.0\.0\.1:1;"):
        topics.existing_topics({**CONFIG, "log_level": "0"}, ["t"])
