"""How the embedded broker is told to ask for a user, and what it cannot be asked for. No broker."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from fink_dagster.errors import UserError
from fink_dagster.kafka.clients import distribution_client, survey_client, survey_options
from fink_dagster.local import kafka, kafka_security
from fink_dagster.settings import KafkaCluster, Settings

if TYPE_CHECKING:
    from pathlib import Path

SASL = {"security_protocol": "SASL_PLAINTEXT", "username": "fink", "password": "sesame"}


def _secured(folder: Path, **changes: str) -> Settings:
    return Settings(data=folder, distribution_kafka=KafkaCluster(**{**SASL, **changes}))


def test_a_secured_broker_listens_without_a_login_nowhere(tmp_path: Path) -> None:
    text = kafka.write_configuration(_secured(tmp_path)).read_text()
    (protocols,) = (line for line in text.splitlines() if line.startswith("listener.security.protocol.map="))
    assert protocols.partition("=")[2] == "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    assert "super.users=User:_broker;User:fink" in text.splitlines()


def test_no_file_of_the_brokers_configuration_holds_a_password(tmp_path: Path) -> None:
    folder = kafka.write_configuration(_secured(tmp_path)).parent
    assert [file.name for file in folder.iterdir() if "sesame" in file.read_text()] == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_security_no_login_is_configured(tmp_path: Path) -> None:
    assert "sasl" not in kafka.write_configuration(Settings(data=tmp_path)).read_text().lower()


def test_where_the_embedded_broker_is_both_kafkas_the_surveys_is_reached_with_the_same_login(tmp_path: Path) -> None:
    settings = _secured(tmp_path)
    assert survey_client(settings) == distribution_client(settings)
    assert survey_options(settings)["kafka.security.protocol"] == "SASL_PLAINTEXT"


def test_a_survey_of_its_own_keeps_its_own_login(tmp_path: Path) -> None:
    settings = _secured(tmp_path).model_copy(update={"survey_kafka": KafkaCluster(address="survey:9092")})
    assert survey_client(settings)["security.protocol"] == "PLAINTEXT"


def test_security_of_a_kafka_elsewhere_does_not_secure_the_embedded_one(tmp_path: Path) -> None:
    settings = _secured(tmp_path, address="users:9092")
    assert not settings.embedded_kafka_is_secured
    assert survey_client(settings)["security.protocol"] == "PLAINTEXT"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"security_protocol": "SASL_SSL"}, "by SASL_PLAINTEXT with SCRAM-SHA-512 only; got 'SASL_SSL'"),
        ({"sasl_mechanism": "PLAIN"}, "only; got 'SASL_PLAINTEXT' with 'PLAIN'"),
        ({"username": "fink;User:x"}, "at most 64 letters, digits, dots and hyphens; got 'fink;User:x'"),
        ({"username": "_broker"}, "must be at most 64 letters"),
        ({"password": ""}, "must have a user and a password"),
    ],
)
def test_what_the_embedded_broker_cannot_be_asked_for_is_refused_before_anything_starts(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(UserError, match=words) as raised:
        kafka.start(_secured(tmp_path, **changes))
    assert "sesame" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_the_brokers_login_is_one_line_for_itself_alone() -> None:
    (line,) = kafka_security.broker_login("made-up").values()
    assert line.endswith('required username="_broker" password="made-up" user__broker="made-up";')
