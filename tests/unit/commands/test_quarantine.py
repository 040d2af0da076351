from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fink_dagster.accounts.redriving import Redriven
from fink_dagster.commands import quarantine as module
from fink_dagster.errors import FinkError, OperationError, UserError
from fink_dagster.surveys.base import Night
from tests.lake import FakeLakeReader

NIGHT, TOPIC = "2018-11-29", "ztf_20181129_programid1"
WHEN = dt.datetime(2018, 11, 30, tzinfo=dt.UTC)


def _message(offset: int, code: str = "truncated", night: str = NIGHT) -> dict[str, Any]:
    why = {"code": code, "text": f"message: {code}", "kafka_timestamp": WHEN, "quarantined_at": WHEN}
    bytes_ = {"value": b"Obj\x01" + bytes(offset), "headers": [{"key": "source", "value": b"x"}]}
    return {"night": night, "topic": TOPIC, "partition": 0, "offset": offset, **why, **bytes_}


@pytest.fixture(autouse=True)
def lake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLakeReader:
    """Four messages, of which the one at offset 2 is an alert of the next night by now."""
    kept = [_message(1), _message(2), _message(3, "avro"), _message(4, night="2018-11-30")]
    landed = {"topic": TOPIC, "partition": 0, "offset": 2, "night": "2018-11-30"}
    reader = FakeLakeReader(quarantine=kept, raw_alerts=[landed])
    monkeypatch.setenv("FINK_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(module, "LakeReader", lambda *_: reader)
    return reader


def _asked(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, arguments)


def _error(*arguments: str) -> FinkError:
    result = _asked(*arguments)
    assert isinstance(result.exception, FinkError), result.output
    return result.exception


def _offsets(*arguments: str) -> list[int]:
    return [row["offset"] for row in json.loads(_asked("list", *arguments, "--json").output)]


def test_only_what_counts_as_quarantined_is_listed_and_counted_by_code() -> None:
    assert _offsets() == [1, 3, 4]
    output = _asked("list", "--night", NIGHT).output
    assert output.splitlines()[-1] == "2 in quarantine (avro: 1, truncated: 1)"
    assert "redriven_to" not in output


def test_all_says_which_have_become_alerts_and_of_which_night() -> None:
    assert _offsets("--all") == [1, 2, 3, 4]
    output = _asked("list", "--night", NIGHT, "--all").output
    assert output.splitlines()[0].split()[-1] == "redriven_to"
    assert [line.split()[-1] for line in output.splitlines() if "2018-11-30" in line] == ["2018-11-30"]
    assert output.splitlines()[-1] == "2 in quarantine (avro: 1, truncated: 1)"


@pytest.mark.parametrize(
    ("arguments", "offsets"),
    [
        (("--night", NIGHT), [1, 3]),
        (("--code", "truncated"), [1, 4]),
        (("--topic", TOPIC, "--partition", "0", "--offset", "3"), [3]),
        (("--night", "2018-12-01"), []),
    ],
)
def test_messages_are_listed_by_night_code_and_coordinate(arguments: tuple[str, ...], offsets: list[int]) -> None:
    assert _offsets(*arguments) == offsets


def test_an_empty_list_says_that_nothing_is_there() -> None:
    assert _asked("list", "--night", "2018-12-01").output == "0 in quarantine\n"


def test_a_message_is_shown_with_its_headers_and_saved_as_it_came(tmp_path: Path) -> None:
    result = _asked("show", "--code", "avro", "--save", str(tmp_path / "message"))
    assert result.exit_code == 0
    assert (tmp_path / "message").read_bytes() == b"Obj\x01" + bytes(3)
    shown = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert (shown["offset"], shown["redriven_to"], shown["bytes"]) == ("3", "None", "7")
    assert shown["headers"] == "{'source': 'x'}"


def test_what_is_shown_is_one_message() -> None:
    several, none = _error("show", "--code", "truncated"), _error("show", "--code", "empty")
    assert isinstance(several, UserError)
    assert "3 fit code truncated; name its coordinate" in str(several)
    assert isinstance(none, OperationError)
    assert str(none).endswith("nothing fits code empty; see `fink-dagster quarantine list --all`")


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (
            Redriven({NIGHT: 2, "2018-11-30": 1}, 0, {"avro": 1}, []),
            "4 re-driven: 3 to raw_alerts (2018-11-29: 2, 2018-11-30: 1), 1 stay in quarantine (avro: 1)",
        ),
        (Redriven({}, 0, {"avro": 1}, []), "1 re-driven: 0 to raw_alerts, 1 stay in quarantine (avro: 1)"),
        (Redriven({}, 3, {}, []), "nothing is left to re-drive: the 3 messages that fit are in raw_alerts"),
    ],
)
def test_redriving_tells_what_became_of_the_messages_before_it_follows_their_nights(
    monkeypatch: pytest.MonkeyPatch, done: Redriven, said: str
) -> None:
    asked: list[Any] = []

    def redrive(_: object, __: object, selection: Any, timeout: float, ___: object) -> Redriven:
        asked.append((selection.given(), timeout))
        return done

    def follow(_: object, __: object, night: Night, timeout: float) -> None:
        asked.append((night, timeout))
        message = "must be closed by now"
        raise OperationError(message)

    monkeypatch.setattr(module.redriving, "redrive", redrive)
    monkeypatch.setattr(module, "follow_and_show", follow)
    done.nights.append(Night(NIGHT))
    result = _asked("redrive", NIGHT, "--code", "avro", "--timeout", "5")
    assert isinstance(result.exception, OperationError)
    assert result.stdout == said + "\n"
    assert asked == [({"night": NIGHT, "code": "avro"}, 5.0), (Night(NIGHT), 5.0)]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("redrive", "yesterday"), "night: must be a date as YYYY-MM-DD"),
        (("redrive", NIGHT, "--offset", "3"), "offset must be one of a partition"),
        (("list", "--night", "yesterday"), "night: must be a date as YYYY-MM-DD"),
        (("show", "--partition", "3"), "partition must be one of a topic"),
        (("redrive", NIGHT, "--survey", "zft"), "did you mean 'ztf'"),
    ],
)
def test_what_is_asked_wrongly_exits_with_2(arguments: tuple[str, ...], why: str) -> None:
    error = _error(*arguments)
    assert error.exit_code == 2
    assert why in str(error)


def test_a_night_must_be_named_to_redrive() -> None:
    assert _asked("redrive").exit_code == 2
