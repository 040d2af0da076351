"""``fink-dagster filters`` as it is typed: what it lists, what it refuses, what it decides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fink_dagster.commands import filters as module
from fink_dagster.commands.filters import app
from fink_dagster.errors import OperationError, UserError
from fink_dagster.filters import registry
from fink_dagster.filters.activation import Decision
from fink_dagster.settings import CHECKOUT
from tests.lake import FakeLakeReader
from tests.own_filters import write

RUNNER = CliRunner()
NIGHT = "2018-08-19"
TRIAL = {"tried_at": 1, "filter": "bright", "version": "1", "night": NIGHT, "alerts": 20, "error": "", "examples": [7]}
TRIED = {**TRIAL, "passed": 1, "failed": 0}
STATE = {"changed_at": 1, "filter": "bright", "version": "1", "state": "active", "share_limit": 0.05, "why": "tried"}


class Lake(FakeLakeReader):
    """Rows as a test puts them there; what is decided is held, not written."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Decision] = []

    def table(self, name: str) -> None:
        return None


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_filters: Path) -> Iterator[Lake]:
    """A lake in lists, and one filter of one's own, ``bright``."""
    write(own_filters, "bright")
    registry.reload()
    held = Lake()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FINK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("fink_dagster.lake.reading.LakeReader", lambda *_: held)
    monkeypatch.setattr("fink_dagster.lake.spark.session", lambda *_: pytest.fail("Spark was started"))
    monkeypatch.setattr(module, "_keep", lambda settings, survey, decision: held.kept.append(decision))
    return held


def _listed(name: str) -> dict[str, Any]:
    rows = json.loads(RUNNER.invoke(app, ["list", "--json"]).output)
    return next(row for row in rows if row["name"] == name)


def test_a_filter_of_ones_own_is_inactive_until_it_is_activated(lake: Lake, own_filters: Path) -> None:
    assert _listed("bright") == {
        "name": "bright",
        "version": "1",
        "owner": "somebody",
        "source": str(own_filters / "bright.py"),
        "state": "inactive",
        "why": None,
        "topic": "fink_bright_ztf",
        "yield": None,
        "share_limit": None,
        "last_error": None,
    }
    lake.tables["filter_states"] = [STATE]
    assert (_listed("bright")["state"], _listed("bright")["share_limit"]) == ("active", 0.05)


def test_what_a_filter_calls_its_version_is_printed_as_it_is(lake: Lake, own_filters: Path) -> None:
    write(own_filters, "bright", version="'[red]2[/]'")
    registry.reload()
    assert "[red]2[/]" in RUNNER.invoke(app, ["list"]).output


def test_the_platforms_filters_send_without_a_decision(lake: Lake) -> None:
    row = _listed("sso_ztf_candidates")
    assert (row["state"], row["source"], row["share_limit"]) == ("active", "fink-dagster", 1.0)


def test_the_yield_is_that_of_the_trials_until_a_closed_night_has_the_topic(lake: Lake) -> None:
    lake.tables["filter_trials"] = [TRIED, {**TRIED, "night": "2018-11-29", "alerts": 80, "passed": 4}]
    tried = {"share": 0.05, "passed": 5, "alerts": 100, "nights": [NIGHT, "2018-11-29"]}
    assert _listed("bright")["yield"] == tried
    lake.tables["filter_states"] = [STATE]
    night = {"night": "2018-11-30", "changed_at": 1, "state": "closed", "run_id": "r", "offsets": "{}"}
    lake.tables["nights"] = [{**night, "account": json.dumps({"science": 40, "distributed": {"fink_other_ztf": 9}})}]
    assert _listed("bright")["yield"] == tried
    lake.tables["nights"] = [{**night, "account": json.dumps({"science": 40, "distributed": {"fink_bright_ztf": 2}})}]
    assert _listed("bright")["yield"] == {"share": 0.05, "passed": 2, "alerts": 40, "nights": ["2018-11-30"]}


def test_the_last_error_is_that_of_a_night_or_else_of_a_trial(lake: Lake) -> None:
    lake.tables["filter_trials"] = [{**TRIED, "failed": 2, "error": "KeyError: 'tried'"}]
    assert _listed("bright")["last_error"] == f"tried on night {NIGHT}: KeyError: 'tried'"
    failed = {"failed_at": 1, "filter": "bright", "version": "1", "night": "2018-11-29", "failed": 2}
    lake.tables["filter_errors"] = [{**failed, "error": "KeyError: 'sent'"}]
    assert _listed("bright")["last_error"] == "night 2018-11-29: KeyError: 'sent'"


def test_a_new_version_of_an_active_filter_is_inactive_and_the_list_says_why(lake: Lake, own_filters: Path) -> None:
    lake.tables["filter_states"] = [STATE]
    write(own_filters, "bright", version="'2'")
    registry.reload()
    said = RUNNER.invoke(app, ["list"])
    assert said.exit_code == 0
    assert "version 1 was activated and this is version 2; try it and activate it again" in said.output
    assert _listed("bright")["state"] == "inactive"


def test_a_filter_that_cannot_be_taken_is_a_sentence_under_the_table_and_exit_code_1(
    lake: Lake, own_filters: Path
) -> None:
    (own_filters / "broken.py").write_text("import nothing_of_that_name")
    registry.reload()
    said = RUNNER.invoke(app, ["list"])
    assert said.exit_code == 1
    assert f"refused: broken ({own_filters / 'broken.py'}): must load; got ModuleNotFoundError" in said.output
    assert _listed("broken")["state"] == "refused"


def test_a_filter_whose_input_nobody_gives_is_unable_and_the_list_names_the_input(
    lake: Lake, own_filters: Path
) -> None:
    write(own_filters, "scored", inputs="('candidate.magpsf', 'my_score')", predicate="lambda m, s: s > 0.5")
    registry.reload()
    row = _listed("scored")
    assert row["state"] == "unable"
    assert "got no my_score; add a science module that gives them" in row["why"]
    said = RUNNER.invoke(app, ["activate", "scored"])
    assert isinstance(said.exception, UserError)
    assert "got no my_score" in str(said.exception)


def test_a_filter_that_was_tried_is_activated_with_the_limit_it_was_judged_by(lake: Lake) -> None:
    lake.tables["filter_trials"] = [TRIED]
    said = RUNNER.invoke(app, ["activate", "bright"])
    assert said.exit_code == 0
    assert said.output == "filter bright (version 1): sends to fink_bright_ztf from the next run of a night on\n"
    assert lake.kept == [Decision("bright", "1", "active", 0.05, "tried: passed 1 of 20 alerts")]


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (None, "must have been tried on a night; got no trial"),
        ({"version": "0"}, "must have been tried on a night; got trials of version 0 alone"),
        ({"failed": 1, "error": "KeyError: 'x'"}, "must fail on no alert it is tried on; got 1 of 20"),
        ({"passed": 2}, "must pass at most 5.00% of the alerts; got 10.00%"),
    ],
)
def test_a_filter_nothing_speaks_for_is_refused_in_one_sentence_and_nothing_is_decided(
    lake: Lake, trial: dict[str, Any] | None, why: str
) -> None:
    lake.tables["filter_trials"] = [] if trial is None else [TRIED | trial]
    said = RUNNER.invoke(app, ["activate", "bright"])
    assert isinstance(said.exception, OperationError)
    assert said.exception.exit_code == 1
    assert str(said.exception).startswith(f"filter bright (version 1): {why}")
    assert lake.kept == []


def test_one_that_is_meant_to_pass_more_is_activated_with_a_limit_and_the_setting_moves_it_for_all(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.tables["filter_trials"] = [{**TRIED, "passed": 2}]
    assert RUNNER.invoke(app, ["activate", "bright", "--limit", "0.1"]).exit_code == 0
    monkeypatch.setenv("FINK_FILTER_SHARE_LIMIT", "0.2")
    assert RUNNER.invoke(app, ["activate", "bright"]).exit_code == 0
    assert [decision.share_limit for decision in lake.kept] == [0.1, 0.2]


def test_what_is_so_already_is_not_decided_again(lake: Lake) -> None:
    said = RUNNER.invoke(app, ["deactivate", "bright"])
    assert "is inactive; nothing is changed" in said.output
    lake.tables["filter_states"] = [STATE]
    said = RUNNER.invoke(app, ["activate", "bright"])
    assert "is active, with the limit 5.00%; nothing is changed" in said.output
    assert lake.kept == []


@pytest.mark.parametrize("name", ["bright", "sso_ztf_candidates"])
def test_any_active_filter_can_be_deactivated_and_the_reason_is_kept(lake: Lake, name: str) -> None:
    lake.tables["filter_states"] = [STATE]
    said = RUNNER.invoke(app, ["deactivate", name, "--why", "passes satellites"])
    assert "sends nothing from the next run of a night on" in said.output
    (decision,) = lake.kept
    assert (decision.filter, decision.state, decision.why) == (name, "inactive", "passes satellites")


@pytest.mark.parametrize("limit", ["0", "-0.1", "1.01", "nan", "inf"])
def test_a_limit_that_is_no_share_is_refused(lake: Lake, limit: str) -> None:
    lake.tables["filter_trials"] = [TRIED]
    said = RUNNER.invoke(app, ["activate", "bright", "--limit", limit])
    assert isinstance(said.exception, UserError)
    assert "--limit: must be a share above 0 and at most 1" in str(said.exception)
    assert lake.kept == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["try", "brigth", "--nights", NIGHT], "did you mean 'bright'"),
        (["try", "bright", "--nights", "2018-8-19"], "must be a date as YYYY-MM-DD"),
        (["try", "bright", "--nights", "2018-08-19..2018-08-01"], "must end after they begin"),
        (["try", "bright", "--nights", NIGHT], "one must have science alerts of ztf"),
        (["try", "bright", "--nights", NIGHT, "--survey", "ztff"], "did you mean 'ztf'"),
        (["try", "bright", "--nights", "2018-08-19' OR '1'='1"], "must be a date as YYYY-MM-DD"),
        (["activate", "bright'; DROP TABLE fink.ztf.nights; --"], "must be one the platform knows"),
        (["deactivate", "../bright"], "must be one the platform knows"),
        (["try", "bright\nbright", "--nights", NIGHT], "must be one the platform knows"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_done(
    lake: Lake, tmp_path: Path, asked: list[str], why: str
) -> None:
    said = RUNNER.invoke(app, asked)
    assert isinstance(said.exception, UserError)
    assert said.exception.exit_code == 2
    assert why in str(said.exception)
    assert len(str(said.exception).splitlines()) == 1
    assert not (tmp_path / "data").exists()
    assert lake.kept == []


@given(st.text(min_size=1).filter(lambda text: not text.startswith("-")))
def test_no_text_whatever_is_taken_for_a_filter_it_is_not(text: str) -> None:
    for asked in (["try", text, "--nights", NIGHT], ["activate", text], ["deactivate", text]):
        said = RUNNER.invoke(app, asked)
        assert isinstance(said.exception, UserError)
        assert len(str(said.exception).splitlines()) == 1


def test_it_starts_without_spark_and_kafka() -> None:
    program = (
        "import sys, fink_dagster.commands.filters; "
        "print(sorted({'pyspark', 'confluent_kafka', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
