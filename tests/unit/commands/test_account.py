from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from fink_dagster.accounts.account import Account
from fink_dagster.commands.account import account
from fink_dagster.errors import FinkError, OperationError, UserError

RUNNER = CliRunner()
SILENT = {"answers": False, "agrees": None, "why": "nothing listens at 127.0.0.1:1"}
AGREES = {"answers": True, "agrees": True, "found": {"ztf": 4}}


def _account(**other: Any) -> Account:
    numbers: dict[str, Any] = {
        "night": "2018-08-19",
        "survey": "ztf",
        "received": 30,
        "offsets": {"ztf_20180819_programid1": {"0": {"first": 0, "last": 29}}},
        "raw": 27,
        "other_nights": {"2018-08-18": 2},
        "from_other_topics": {},
        "quarantined": {"truncated": 1},
        "science": 4,
        "rejected": {"rb": 22},
        "duplicates": 1,
        "distributed": {"fink_ztf_20180819": 4},
        "archived": {"ztf": 4},
        "closes": True,
        "state": "closed",
    }
    return Account(**{**numbers, **other})


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the lake and the servers say."""
    said: dict[str, Any] = {"account": _account(), "live": {"hbase": AGREES}}
    monkeypatch.setenv("FINK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("fink_dagster.accounts.account.account_of", lambda *_: said["account"])
    monkeypatch.setattr("fink_dagster.accounts.live.live_counts", lambda *_: said["live"])
    return said


def _asked(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(account)
    return RUNNER.invoke(app, arguments)


def _error(*arguments: str) -> FinkError:
    result = _asked(*arguments)
    assert isinstance(result.exception, FinkError), result.output
    return result.exception


def test_the_table_has_every_number_and_says_that_it_closes(said: dict[str, Any]) -> None:
    result = _asked("2018-08-19")
    assert result.exit_code == 0
    for what in ("ztf night 2018-08-19 (closed)", "received", "quarantined: truncated", "rejected: rb"):
        assert what in result.output
    for what in ("alerts of 2018-08-18", "fink_ztf_20180819", "table ztf", "The account closes."):
        assert what in result.output


def test_an_open_account_says_where(said: dict[str, Any]) -> None:
    said["account"] = _account(closes=False, why_open=["archive: 1 rows are not acknowledged"])
    output = _asked("2018-08-19").output
    assert "open: archive: 1 rows are not acknowledged" in output
    assert "closes" not in output


def test_a_silent_server_is_said_to_be_silent_and_one_that_agrees_is_not_named(said: dict[str, Any]) -> None:
    said["live"] = {"survey_kafka": SILENT, "hbase": AGREES}
    output = _asked("2018-08-19").output
    assert "survey_kafka: nothing listens at 127.0.0.1:1" in output
    assert "hbase" not in output


def test_a_server_that_says_otherwise_is_quoted(said: dict[str, Any]) -> None:
    said["live"] = {"hbase": {"answers": True, "agrees": False, "found": {"ztf": 3}}}
    assert "hbase: says otherwise: {'ztf': 3}" in _asked("2018-08-19").output


def test_json_is_the_account_with_what_the_servers_say(said: dict[str, Any]) -> None:
    found = json.loads(_asked("2018-08-19", "--json").output)
    assert found == {**_account().as_dict(), "live": {"hbase": AGREES}}


def test_all_nights_are_a_list_of_accounts(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fink_dagster.accounts.nights.all_nights", lambda _: ["2018-08-18", "2018-08-19"])
    assert len(json.loads(_asked("--all", "--json").output)) == 2
    assert _asked("--all").output.count("The account closes.") == 2


def test_a_night_of_which_nothing_is_stored_exits_with_1(said: dict[str, Any]) -> None:
    said["account"] = None
    error = _error("2018-08-19")
    assert isinstance(error, OperationError)
    assert error.exit_code == 1
    assert "nothing is stored" in str(error)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "must be given either a night or --all"),
        (("2018-08-19", "--all"), "must be given either a night or --all"),
        (("yesterday",), "night: must be a date as YYYY-MM-DD; got 'yesterday'"),
        (("2018-08-19", "--survey", "zft"), "did you mean 'ztf'"),
    ],
)
def test_what_is_asked_wrongly_exits_with_2(said: dict[str, Any], arguments: tuple[str, ...], why: str) -> None:
    error = _error(*arguments)
    assert isinstance(error, UserError)
    assert error.exit_code == 2
    assert why in str(error)
