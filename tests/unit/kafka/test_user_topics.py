"""User topics as they are set, with an admin client written by hand. No broker."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from fink_dagster.kafka import user_topics
from fink_dagster.kafka.user_topics import DAY_MS, ensure_user_topics
from fink_dagster.settings import Settings


def _known(outcome: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(outcome)
    return future


class Admin:
    """Topics with their retention [ms]; ``made`` and ``altered`` is what was asked for."""

    def __init__(self, **retentions: int) -> None:
        self.retentions = {name: str(value) for name, value in retentions.items()}
        self.made: list[tuple[Any, ...]] = []
        self.altered: dict[str, str] = {}

    def __call__(self, _config: dict[str, str]) -> Admin:
        return self

    def ensure(self, _config: Any, name: str, partitions: int, *, retention_ms: int, replication: int) -> int:
        self.made.append((name, partitions, replication))
        self.retentions.setdefault(name, str(retention_ms))
        return partitions

    def describe_configs(self, resources: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        return {each: _known({"retention.ms": SimpleNamespace(value=self.retentions[each.name])}) for each in resources}

    def incremental_alter_configs(self, resources: list[Any], **_: Any) -> dict[Any, Future[Any]]:
        for each in resources:
            (entry,) = each.incremental_configs
            assert entry.name == "retention.ms"
            self.altered[each.name] = entry.value
        return {each: _known(None) for each in resources}


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    made = Admin(old=DAY_MS, right=2 * DAY_MS)
    monkeypatch.setattr(user_topics, "AdminClient", made)
    monkeypatch.setattr(user_topics, "ensure_topic", made.ensure)
    return made


def test_topics_are_made_as_they_are_set(admin: Admin) -> None:
    ensure_user_topics(Settings(topic_partitions=7, topic_replication=3), ["new"])
    assert admin.made == [("new", 7, 3)]
    ensure_user_topics(Settings(), ["newer"])
    assert admin.made[-1] == ("newer", 4, -1)
    assert admin.retentions == {"old": "86400000", "right": "172800000", "new": "604800000", "newer": "604800000"}


def test_topics_that_keep_messages_for_another_time_are_altered_and_no_other(admin: Admin) -> None:
    ensure_user_topics(Settings(topic_retention_days=2), ["old", "right", "new"])
    assert admin.altered == {"old": "172800000"}


def test_no_topics_ask_nothing(admin: Admin) -> None:
    ensure_user_topics(Settings(), [])
    assert admin.made == []
