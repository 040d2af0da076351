from __future__ import annotations

from pathlib import Path

import pytest

from fink_dagster import cli


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


@pytest.mark.parametrize("command", ["account", "night", "replay", "demo", "quarantine", "services", "doctor"])
def test_every_command_has_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert _typed(monkeypatch, command, "--help") == 0
    assert "Usage" in capsys.readouterr().out
