"""``fink-dagster replay`` where it is asked wrongly: one sentence, nothing sent. No broker."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fink_dagster.commands.replay import _listed, replay
from fink_dagster.errors import FinkError, UserError

RUNNER = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(replay)
    return app


@pytest.fixture
def placeholder(tmp_path: Path) -> Path:
    path = tmp_path / "ztf_public_20180901.tar.gz"
    path.write_bytes(b"x" * 44)
    return path


def error_of(app: typer.Typer, *arguments: str) -> FinkError:
    result = RUNNER.invoke(app, arguments)
    assert isinstance(result.exception, FinkError), result.output
    assert result.output == ""
    return result.exception


def test_a_placeholder_is_one_sentence(app: typer.Typer, placeholder: Path):
    error = error_of(app, str(placeholder))
    assert isinstance(error, UserError)
    assert "placeholder of 44 bytes" in str(error)


def test_an_unknown_survey_is_one_sentence(app: typer.Typer, placeholder: Path):
    assert "survey: must be one the platform knows" in str(error_of(app, str(placeholder), "--survey", "zft"))


def test_a_surveys_own_kafka_is_refused(app: typer.Typer, placeholder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FINK_SURVEY_KAFKA__ADDRESS", "kafka.example.org:9092")
    error = error_of(app, str(placeholder))
    assert error.exit_code == 2
    assert "kafka.example.org:9092" in str(error)


def test_a_speed_nobody_knows_is_asked_wrongly(app: typer.Typer, placeholder: Path):
    assert RUNNER.invoke(app, [str(placeholder), "--speed", "sometimes"]).exit_code == 2


def test_help_shows_an_example(app: typer.Typer):
    assert "Example: fink-dagster replay" in RUNNER.invoke(app, ["--help"]).output


def test_the_last_line_names_a_few_topics():
    assert _listed(()) == ""
    assert _listed(("a", "b")) == "a, b"
    assert _listed(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"
