"""``fink-dagster science`` as it is typed: what it lists, what it writes, what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fink_dagster.commands.science import _in_words, app
from fink_dagster.errors import OperationError, UserError
from fink_dagster.science import registry
from fink_dagster.science.own import modules_in
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.rerun import Rerun
from tests.own_modules import write

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


def test_every_module_is_listed_with_where_it_is_from(own_modules: Path) -> None:
    write(own_modules, "good")
    said = RUNNER.invoke(app, ["list", "--json"])
    rows = {row["name"]: row for row in json.loads(said.output)}
    assert said.exit_code == 0
    assert rows["good"] == {
        "name": "good",
        "version": "1",
        "owner": "somebody",
        "outputs": ["good"],
        "source": str(own_modules / "good.py"),
        "state": "ready",
        "why": None,
    }
    assert (rows["roid"]["source"], rows["roid"]["state"]) == ("fink-dagster", "ready")


def test_a_refused_module_is_one_sentence_under_the_table_and_exit_code_1(own_modules: Path) -> None:
    write(own_modules, "good")
    write(own_modules, "bad", inputs="('candidate.magpfs',)")
    said = RUNNER.invoke(app, ["list"])
    assert said.exit_code == 1
    lines = said.output.splitlines()
    assert [line.split()[-2] for line in lines if "good.py" in line or "bad.py" in line][:2] == ["refused", "ready"]
    assert lines[-1] == (
        f"refused: bad ({own_modules / 'bad.py'}): must read fields of the alert or columns of other modules; "
        "got 'candidate.magpfs'; correct it, or make it optional"
    )


def test_a_new_module_and_its_test_work_as_they_are_written(own_modules: Path, tmp_path: Path) -> None:
    said = RUNNER.invoke(app, ["new", "my_value"])
    assert said.output.splitlines() == [
        f"written: {own_modules / 'my_value.py'}, {own_modules / 'test_my_value.py'}",
        "next:",
        f"  pytest {own_modules / 'test_my_value.py'}",
        "  fink-dagster science list",
        "  fink-dagster enrich FILE my_value.parquet --modules my_value",
    ]
    (module,) = modules_in(own_modules / "my_value.py")
    assert (module.name, module.outputs[0].name) == ("my_value", "my_value")
    command = [sys.executable, "-m", "pytest", "-q", str(own_modules), "--rootdir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1][:8]) == (0, "1 passed")
    registry.reload()
    assert RUNNER.invoke(app, ["list"]).exit_code == 0


def test_without_a_folder_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FINK_SCIENCE_MODULES", raising=False)
    registry.reload()
    said = RUNNER.invoke(app, ["new", "my_value"])
    assert f"  export FINK_SCIENCE_MODULES={tmp_path / 'science_modules'}\n" in said.output
    said = RUNNER.invoke(app, ["new", "my_value", "--folder", "deep/er"])
    assert sorted(path.name for path in (tmp_path / "deep" / "er").iterdir()) == ["my_value.py", "test_my_value.py"]


@pytest.mark.parametrize("there", ["my_value.py", "test_my_value.py"])
def test_nothing_that_is_there_is_replaced(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    said = RUNNER.invoke(app, ["new", "my_value", "--folder", str(tmp_path)])
    assert isinstance(said.exception, UserError)
    assert str(said.exception).endswith(f"got '{tmp_path / there}', which is there; choose another")
    assert [(path.name, path.read_text()) for path in tmp_path.glob("*.py")] == [(there, "mine")]


@pytest.mark.parametrize("name", ["", "My", "a-b", "../a", "1a", "class", "test_a", "roid", "magpsf", "night", "good"])
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(own_modules: Path, tmp_path: Path, name: str) -> None:
    write(own_modules, "good")
    said = RUNNER.invoke(app, ["new", name, "--folder", str(tmp_path / "new")])
    assert isinstance(said.exception, UserError)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_takes_no_files_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = RUNNER.invoke(app, ["new", "my_value", "--folder", str(tmp_path / "file" / "in")])
    assert isinstance(said.exception, OperationError)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--module", "rioid", "--nights", "2018-08-19"], "did you mean 'roid'"),
        (["--module", "roid", "--nights", "2018-8-19"], "must be a date as YYYY-MM-DD"),
        (["--module", "roid", "--nights", "2018-08-19..2018-08-01"], "must end after they begin"),
        (["--module", "roid", "--nights", "2018-08-19"], "one must have science alerts of ztf"),
    ],
)
def test_a_module_or_nights_that_are_not_there_are_refused_before_spark_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[str], why: str
) -> None:
    monkeypatch.setenv("FINK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("fink_dagster.lake.spark.session", lambda *_: pytest.fail("Spark was started"))
    said = RUNNER.invoke(app, ["rerun", *asked])
    assert isinstance(said.exception, UserError)
    assert why in str(said.exception)
    assert not (tmp_path / "data").exists()


def test_what_came_of_a_module_is_one_line() -> None:
    outcome = Rerun(20, 13, 2, Counter({"raised": 3, "nan": 1}), "ValueError: too faint")
    assert _in_words(outcome) == (
        "asked for 20 alerts, changed 13; 2 alerts wait for a module that failed on them; "
        "failed: nan on 1, raised on 3: ValueError: too faint"
    )
    assert _in_words(Rerun(5, 0, 0, Counter(), "")) == "asked for 5 alerts, changed 0"


def test_it_starts_without_spark_and_looks_for_no_module_before_it_is_asked() -> None:
    program = (
        "import sys, fink_dagster.commands.science; from fink_dagster.science.registry import _entries; "
        "print(sorted({'pyspark', 'confluent_kafka', 'dagster'} & set(sys.modules)), _entries.cache_info().misses)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 0"
