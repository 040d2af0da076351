"""Modules of one's own: found, loaded and carried to other processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fink_dagster.errors import UserError
from fink_dagster.science.own import found_in_folder, modules_in
from fink_dagster.science.run import run_modules
from fink_dagster.settings import CHECKOUT
from tests.own_modules import HEAD, declared, write

FRAME = pd.DataFrame({"candidate.magpsf": [17.0, 18.5]})
RUNS = (
    "import pickle, sys; import pandas as pd; from fink_dagster.science.run import run_modules; "
    "modules = pickle.load(open(sys.argv[1], 'rb')); "
    "ran = run_modules(pd.DataFrame({'candidate.magpsf': [17.0, 18.5]}), modules); "
    "print(ran.failures, [ran.columns[name].tolist() for name in ran.columns])"
)


def _child(program: str, *words: str, path: Path = CHECKOUT) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(path)])}
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_files_are_read_in_order_and_tests_and_private_ones_are_not(tmp_path: Path) -> None:
    for name in ("b", "a", "test_a", "_c", "conftest"):
        write(tmp_path, name)
    (tmp_path / "notes.txt").write_text("no module")

    assert [(entry.name, entry.source, entry.why) for entry in found_in_folder(tmp_path)] == [
        ("a", str(tmp_path / "a.py"), ""),
        ("b", str(tmp_path / "b.py"), ""),
    ]


def test_one_file_may_hold_several_modules(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(f"{HEAD}MODULES = ({declared('a')}, {declared('b')})\n")
    ran = run_modules(FRAME, modules_in(tmp_path / "two.py"))
    assert (ran.failures, ran.columns["b"].tolist()) == ({}, [34.0, 37.0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nothing_of_that_name", "got ModuleNotFoundError: No module named 'nothing_of_that_name'; correct it"),
        ("MODULE = (", "got SyntaxError: '(' was never closed (broken.py, line 1); correct it"),
        ("raise SystemExit(3)", "must load; got SystemExit: 3; correct it"),
        ("raise ValueError('two\\nlines')", "got ValueError: two lines; correct it"),
        ("", "must define MODULE or MODULES; got neither; fink-dagster science new shows how"),
        ("MODULE = len", "must define MODULE as a Module"),
        ("MODULES = ()", "or several; got none; correct it"),
        ("\0", "must load; got "),
        ("Ä = '\udcff'", "must load; got SyntaxError"),
    ],
)
def test_a_file_that_does_not_load_is_one_sentence_and_the_next_is_loaded(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "broken.py").write_bytes(text.encode(errors="surrogateescape"))
    write(tmp_path, "good")
    broken, good = found_in_folder(tmp_path)
    assert (broken.name, broken.module, good.why) == ("broken", None, "")
    assert why in broken.sentence.replace(str(tmp_path) + os.sep, "")
    assert "\n" not in broken.sentence


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    (entry,) = found_in_folder(tmp_path / "none")
    assert entry.why == "must be a folder; got none; make it, or unset the setting"


def test_who_asks_for_one_file_gets_its_own_error(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("")
    with pytest.raises(UserError, match="must define MODULE or MODULES"):
        modules_in(tmp_path / "none.py")
    (tmp_path / "wrong.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        modules_in(tmp_path / "wrong.py")


def test_nothing_is_written_beside_a_file_and_its_name_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path, "json")
    modules_in(tmp_path / "json.py")
    assert [path.name for path in tmp_path.iterdir()] == ["json.py"]
    assert sys.modules.get("json") is not sys.modules.get("own_json")
    assert hasattr(sys.modules["json"], "dumps")


def test_a_file_is_read_as_it_is_now_and_modules_read_before_keep_theirs(tmp_path: Path) -> None:
    file = write(tmp_path, "a")
    before = modules_in(file)
    write(tmp_path, "a", function="lambda magnitude: 3 * numbers(magnitude)")
    assert run_modules(FRAME, before).columns["a"].tolist() == [34.0, 37.0]
    assert run_modules(FRAME, modules_in(file)).columns["a"].tolist() == [51.0, 55.5]


@pytest.mark.parametrize("dumps", ["plain", "spark"])
def test_a_function_reaches_a_process_that_cannot_see_its_file(tmp_path: Path, dumps: str) -> None:
    # Data classes, closures and objects with a state are what pickling by reference or by value trips over.
    (tmp_path / "a.py").write_text(
        "from __future__ import annotations\n"
        f"from dataclasses import dataclass\n{HEAD}\n"
        "@dataclass(frozen=True)\nclass Times:\n    factor: float\n"
        "    def __call__(self, magnitude):\n        return self.factor * numbers(magnitude)\n"
        f"MODULE = {declared('a', function='Times(2.0)')}\n"
    )
    modules = modules_in(tmp_path / "a.py")
    if dumps == "spark":
        from pyspark import cloudpickle

        text = cloudpickle.dumps(modules)
    else:
        text = pickle.dumps(modules)
    (tmp_path / "a.py").unlink()
    (tmp_path / "modules.pickle").write_bytes(text)

    assert _child(RUNS, str(tmp_path / "modules.pickle")) == "{} [[34.0, 37.0]]"


def test_installed_packages_bring_modules_by_entry_points_and_a_broken_one_stops_none(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        f"{HEAD}ONE = {declared('one')}\nTWO = [{declared('two')}, {declared('three')}]\n"
        f"def four():\n    return {declared('four')}\n\ndef five():\n    raise OSError('no disk')\n"
        "import functools, threading\nheld = functools.partial(max, threading.Lock())\n"
        f"SIX = {declared('six', function='held')}\n"
    )
    points = {
        "a": "theirs:ONE",
        "b": "theirs:TWO",
        "c": "theirs:four",
        "d": "theirs:five",
        "e": "theirs:none",
        "f": "theirs:SIX",
    }
    (tmp_path / "theirs-1.0.dist-info").mkdir()
    (tmp_path / "theirs-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (tmp_path / "theirs-1.0.dist-info" / "entry_points.txt").write_text(
        "[fink_dagster.science]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
    )
    program = (
        "from fink_dagster.science.registry import entries_for, modules; "
        "from fink_dagster.surveys import get_survey; from fink_dagster.surveys.avro import by_place; "
        "theirs = [e for e in entries_for(by_place(get_survey('ztf').alert_schema)) if e.is_own]; "
        "print([e.name for e in theirs if not e.why]); print([e.sentence for e in theirs if e.why]); "
        "print({'one', 'four'} <= {m.name for m in modules()})"
    )

    assert _child(program, path=tmp_path).splitlines() == [
        "['one', 'two', 'three', 'four']",
        "['science module d (theirs: theirs:five): must load; got OSError: no disk; correct it', "
        "\"science module e (theirs: theirs:none): must load; got AttributeError: module 'theirs' has no attribute "
        "'none'; correct it\", \"science module f (theirs: theirs:SIX): must have a function that can be sent to "
        "a worker; got cannot pickle '_thread.lock' object; make in it what it holds\"]",
        "True",
    ]
