from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from fink_dagster.commands import users as module
from fink_dagster.errors import UserError
from fink_dagster.kafka.access import User

if TYPE_CHECKING:
    from pathlib import Path

TOPIC = "fink_sso_ztf_candidates_ztf"


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """What was asked of Kafka: name, password, topics, surveys."""
    asked: list[tuple[Any, ...]] = []
    variables = {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "USERNAME": "fink", "PASSWORD": "of-the-platform"}
    for name, value in variables.items():
        monkeypatch.setenv(f"FINK_DISTRIBUTION_KAFKA__{name}", value)
    monkeypatch.setenv("FINK_DATA", str(tmp_path))
    monkeypatch.setattr(module.access, "add_user", lambda _settings, *told: asked.append(told))
    monkeypatch.setattr(module.access, "users", lambda _: [User("alice", ("fink_*",)), User("bob", (), logs_in=False)])
    monkeypatch.setattr(module, "existing_topics", lambda _, names: set(names) & {"ftransfer_ztf_2018-11-29_1"})
    return asked


def _asked(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, arguments)


def test_a_password_is_made_and_printed_once(added: list[tuple[Any, ...]]) -> None:
    said = _asked("add", "alice").output
    ((name, password, topics, surveys),) = added
    assert (name, topics, surveys) == ("alice", None, ["ztf"])
    assert len(password.get_secret_value()) == 32
    assert said.count(password.get_secret_value()) == 1
    _asked("add", "carl", "--all-topics")
    assert added[1][1:3] != (password, None)
    assert added[1][2] is None


def test_a_password_from_the_environment_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, added: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setenv("FINK_NEW_USER_PASSWORD", "correct-horse-battery")
    said = _asked("add", "alice").output
    assert added[0][1].get_secret_value() == "correct-horse-battery"
    assert "horse" not in said


def test_topics_are_those_of_filters_or_those_that_are_there(added: list[tuple[Any, ...]]) -> None:
    _asked("add", "alice", "--topics", f"{TOPIC}, ftransfer_ztf_2018-11-29_1,{TOPIC}")
    assert added[0][2] == [TOPIC, "ftransfer_ztf_2018-11-29_1"]


@pytest.mark.parametrize(
    ("topics", "words"),
    [
        ("fink_sso_ztf_candidate_ztf", f"did you mean '{TOPIC}'"),
        ("ztf_20181129_programid1", "must begin with fink_ or ftransfer_"),
        ("fink_ztf_20181129_markers", "and not with fink_ztf_; got 'fink_ztf_20181129_markers'"),
        ("", "topic of a user: must begin"),
        (f"{TOPIC},", "topic of a user: must begin"),
        ("fink_a';DROP TABLE x", "topic of a user: must begin"),
        ("*", "topic of a user: must begin"),
    ],
)
def test_a_topic_nobody_can_mean_adds_nobody(added: list[tuple[Any, ...]], topics: str, words: str) -> None:
    result = _asked("add", "alice", "--topics", topics)
    assert isinstance(result.exception, UserError)
    assert words in str(result.exception)
    assert added == []


def test_all_and_some_topics_at_once_are_refused(added: list[tuple[Any, ...]]) -> None:
    result = _asked("add", "alice", "--topics", TOPIC, "--all-topics")
    assert isinstance(result.exception, UserError)
    assert added == []


def test_users_are_listed_for_people_and_for_programs() -> None:
    assert json.loads(_asked("list", "--json").output) == [
        {"name": "alice", "topics": ["fink_*"], "logs_in": True},
        {"name": "bob", "topics": [], "logs_in": False},
    ]
    said = _asked("list").output
    assert "alice" in said
    assert "2 users" in said
