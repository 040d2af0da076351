from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from fink_dagster import cli
from fink_dagster.settings import CHECKOUT

COMMANDS = typer.main.get_group(cli.app).commands


@pytest.fixture(autouse=True)
def _own_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINK_DATA", str(tmp_path))


def _typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["fink-dagster", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    "words", [("account", "2018-08-19", "--survey", "zft"), ("night", "2018-08-19", "--survey", "zft")]
)
def test_an_unknown_survey_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _typed(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: survey: must be one the platform knows; got 'zft'; did you mean 'ztf'\n"


def test_a_night_nothing_is_stored_for_is_one_sentence_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _typed(monkeypatch, "account", "2018-08-19") == 1
    assert "nothing is stored" in capsys.readouterr().err


def test_a_wrong_setting_is_one_sentence_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINK_DAGSTER_PORT", "many")
    assert _typed(monkeypatch, "account", "2018-08-19") == 2
    assert capsys.readouterr().err.startswith("error: settings: FINK_DAGSTER_PORT: ")


def test_tables_of_an_outside_hbase_are_not_split_without_its_zookeeper(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINK_HBASE_ADDRESS", "elsewhere:9090")
    monkeypatch.setenv("FINK_HBASE_REGIONS", "50")
    assert _typed(monkeypatch, "account", "2018-08-19") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: settings: FINK_HBASE_REGIONS: ")
    assert "FINK_HBASE_ZOOKEEPER_ADDRESS" in said
    monkeypatch.setenv("FINK_HBASE_ZOOKEEPER_ADDRESS", "elsewhere:2181")
    assert _typed(monkeypatch, "account", "2018-08-19") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert _typed(monkeypatch, command, "--help") == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_begins_with(command: str) -> None:
    assert cli.load(command).help.partition("\n\n")[0].replace("\n", " ") == COMMANDS[command].help


@pytest.mark.parametrize("module", ["fink_dagster.cli", "fink_dagster.commands.account"])
def test_who_asks_for_help_waits_for_nothing_that_starts_slowly(module: str) -> None:
    slow = {
        "pyspark",
        "pyiceberg",
        "sqlalchemy",
        "dagster",
        "happybase",
        "confluent_kafka",
        "pandas",
        "numpy",
        "pyarrow",
    }
    program = f"import sys, {module}; print(sorted({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
