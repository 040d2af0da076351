"""``fink-dagster transfer`` as it is typed: what it refuses, and what it prints."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from fink_dagster.commands.transfer import transfer
from fink_dagster.errors import OperationError, UserError
from fink_dagster.kafka import transfers
from fink_dagster.lake import spark
from fink_dagster.stages import transfer as sending
from fink_dagster.streams import transfer as ordering
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

APP = Typer()
APP.command()(transfer)
TOPIC = "ftransfer_ztf_2026-03-23_011487"


@pytest.fixture(autouse=True)
def _nothing_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINK_DATA", str(tmp_path))


def _typed(*words: str) -> Result:
    return CliRunner().invoke(APP, list(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "must be given one of --nights, --list and --remove"),
        (["--list", "--nights", "2018-08-19"], "must be given one of"),
        (["--nights", "2018-08-19", "--remove", TOPIC], "must be given one of"),
        (["--nights", "2018-13-01"], "must be a date as YYYY-MM-DD"),
        (["--nights", "2018-08-20..2018-08-19"], "must end after they begin"),
        (["--nights", "2018-08-19"], "must have science alerts"),
        (["--nights", "' OR 1=1 --"], "must be a date"),
        (["--nights", "2018-08-19", "--filter", "x'; DROP TABLE y"], "filter: must be one the platform knows"),
        (["--nights", "2018-08-19", "--id", "a/../b"], "choose another id"),
        (["--nights", "2018-08-19", "--survey", "nosuch"], "survey: must be one"),
        (["--remove", "fink_ztf_20180819"], "transfer: must be called"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence_and_exit_code_2(words: list[str], said: str) -> None:
    error = _typed(*words).exception
    assert isinstance(error, UserError)
    assert said in str(error)
    assert "\n" not in str(error)


def test_topic_number_and_the_clients_commands_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    order = ordering.Order([Night("2018-08-19"), Night("2018-11-29")], None, ["objectId", "candid"], TOPIC)
    monkeypatch.setattr(ordering, "ordered", lambda *_: order)
    monkeypatch.setattr(ordering, "choose", lambda *_: ("rows", 311))
    monkeypatch.setattr(spark, "session", lambda *_: SimpleNamespace(stop=lambda: None))
    sent: dict[str, Any] = {}
    monkeypatch.setattr(sending, "transfer", lambda *_, **named: sent.update(named))

    said = _typed("--nights", "2018-08-19..2018-11-29")

    assert said.exit_code == 0
    assert (sent["topic"], sent["number"]) == (TOPIC, 311)
    assert said.stdout.splitlines() == [
        f"311 alerts of 2 nights -> {TOPIC}",
        "fetch them, with fink-client 11 or 12, by",
        f"  fink_datatransfer -survey ztf -topic {TOPIC} -outdir {TOPIC}",
        f"  finkctl transfer -survey ztf -topic {TOPIC} -outdir {TOPIC}",
    ]


def test_transfers_are_listed_and_what_was_cut_off_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "transfers", lambda _: {TOPIC: True, f"{TOPIC}7": False})

    first, second = _typed("--list").stdout.splitlines()

    assert first == TOPIC
    assert second.startswith(f"{TOPIC}7  unfinished")


def test_a_transfer_that_is_not_there_cannot_be_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "transfers", lambda _: {})
    assert isinstance(_typed("--remove", TOPIC).exception, OperationError)
