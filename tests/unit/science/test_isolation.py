"""A module may do to its process what it likes; what the others give stays the same to the bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil
import pytest

from fink_dagster.science.answers import answer_of
from fink_dagster.science.failure import Failure
from fink_dagster.science.isolation import Processes
from fink_dagster.science.module import Limits, Module, Output, Unavailable
from fink_dagster.science.run import Ran, run_modules
from fink_dagster.science.transport import answer_message, failure_message, read_answer
from tests.harmful import crashes, exits, sleeps, spins, takes_8_gib

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAME = pd.DataFrame({"x": np.arange(40), "y": np.arange(40) / 7})
HISTORIES = [np.array([1.5, np.nan]), None, np.array([]), np.array([2.0])] * 10
FRAME["h"] = pd.Series(HISTORIES, dtype=object)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.close()


def _module(
    name: str, function: Callable[..., Any], *, kind: str = "int", alone: bool = True, **others: object
) -> Module:
    return Module(name, "1", ("x",), (Output(name, kind, "", "."),), function, alone=alone, **others)  # type: ignore[arg-type]


def _leaves_a_process_that_holds_the_line(_: pd.Series) -> pd.Series:
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(4)


def _changes_what_all_use(x: pd.Series) -> pd.Series:
    np.median = np.mean = lambda *_, **__: 0.0
    os.environ["TZ"] = "Asia/Tokyo"
    return x


BRIEF = Limits(seconds=1.0, memory_mib=2048)
GOOD = (
    _module("doubled", lambda x: x * 2, alone=False),
    _module("median", lambda x: np.array([np.median([value, value + 1]) for value in x]), kind="double", alone=False),
    Module(
        "last",
        "1",
        ("h",),
        (Output("last", "double", "mag", "."), Output("record", "", "", ".", fields=("n", "sum"))),
        lambda h: pd.DataFrame(
            {
                "last": [None if cell is None or not len(cell) else cell[0] for cell in h],
                "record": [None if cell is None else {"n": len(cell), "sum": None} for cell in h],
            },
            dtype=object,
        ),
        alone=False,
    ),
)


@pytest.mark.parametrize(
    ("function", "code", "text"),
    [
        (sleeps, "timeout", "took more than the 1 s it may"),
        (spins, "timeout", "took more than the 1 s it may"),
        (exits, "crashed", "its process ended with exit code 3"),
        (crashes, "crashed", "its process ended with SIGSEGV"),
        (takes_8_gib, "out_of_memory", "Unable to allocate 8.00 GiB"),
        (_leaves_a_process_that_holds_the_line, "timeout", "took more than the 1 s it may"),
        (lambda x: x[:-1], "wrong_shape", "must have 40 values; got 39"),
        (lambda x: x + 0.5, "wrong_type", "'bad' must be int"),
        (lambda x: int("no number"), "raised", "ValueError: invalid literal"),
        (lambda x: sys.exit(5), "raised", "SystemExit: 5"),
    ],
)
def test_what_ends_badly_leaves_nulls_and_a_code_and_every_other_column_as_it_is_without_it(
    processes: Processes, function: Callable[..., Any], code: str, text: str
) -> None:
    # A busy machine may take a second for what ends at once.
    bad = _module("bad", function, limits=BRIEF if code == "timeout" else Limits())
    without, ran = (run_modules(FRAME, modules, processes) for modules in (GOOD, (*GOOD[:1], bad, *GOOD[1:])))
    assert ran.columns["bad"].isna().all()
    assert set(map(str, ran.status)) == {str({"bad": code})}
    assert text in ran.failures["bad"].text
    pd.testing.assert_frame_equal(ran.columns.drop(columns="bad"), without.columns, check_exact=True)
    assert list(ran.failures) == ["bad"]


def test_a_module_in_a_process_gives_what_it_gives_here(processes: Processes) -> None:
    here, apart = run_modules(FRAME, GOOD), run_modules(FRAME, GOOD, processes)
    pd.testing.assert_frame_equal(here.columns, apart.columns, check_exact=True)
    assert here.columns["last"].tolist()[:4] == [1.5, pd.NA, pd.NA, 2.0]
    assert apart.columns["record"].tolist()[:2] == [{"n": 2.0, "sum": None}, None]


def test_one_alert_a_module_crashes_on_costs_no_other_its_value(processes: Processes) -> None:
    def crash_on_seven(x: pd.Series) -> pd.Series:
        return crashes(x) if 7 in x.to_numpy() else x

    ran = run_modules(FRAME, [_module("a", crash_on_seven)], processes)
    assert [row for row, status in enumerate(ran.status) if status] == [7]
    assert ran.columns["a"].drop(7).tolist() == [number for number in range(40) if number != 7]


def test_what_a_module_changes_in_its_process_reaches_no_other(processes: Processes) -> None:
    changer = _module("changer", _changes_what_all_use)
    ran = run_modules(FRAME, [changer, *GOOD], processes)
    assert ran.failures == {}
    pd.testing.assert_frame_equal(ran.columns[["median"]], run_modules(FRAME, [GOOD[1]]).columns)


def test_the_process_of_a_module_knows_no_secret(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINK_SURVEY_KAFKA__PASSWORD", "hunter2")
    fresh = Processes()
    try:
        (words,) = _texts(fresh, lambda x: pd.Series([" ".join(f"{k}={v}" for k, v in os.environ.items())] * len(x)))
        (initial,) = _texts(fresh, lambda x: pd.Series([open("/proc/self/environ").read()] * len(x)))  # noqa: SIM115
    finally:
        fresh.close()
    for known in (words, initial):
        assert "PATH=" in known
        assert "hunter2" not in known
        assert "FINK_" not in known


def _texts(processes: Processes, function: Callable[..., Any]) -> set[str]:
    ran = run_modules(FRAME, [_module("text", function, kind="string")], processes)
    assert ran.failures == {}
    return set(ran.columns["text"])


def test_a_module_that_comes_back_twice_answers_once(processes: Processes) -> None:
    def fork(x: pd.Series) -> pd.Series:
        os.fork()
        return x

    modules = [_module("a", fork), *GOOD]
    for begin in (0, 10, 20, 30):
        part = FRAME[begin : begin + 10].reset_index(drop=True)
        ran = run_modules(part, modules, processes)
        assert ran.columns["a"].tolist() == part["x"].tolist()
        assert ran.columns["doubled"].tolist() == (2 * part["x"]).tolist()


def test_no_process_is_left_of_a_module_nor_of_what_it_started() -> None:
    def starts_things(x: pd.Series) -> pd.Series:
        threading.Thread(target=time.sleep, args=(1000,)).start()
        subprocess.Popen(["sleep", "1000"])
        return x

    before = set(psutil.Process().children(recursive=True))
    fresh = Processes()
    run_modules(FRAME, [_module("a", starts_things), *GOOD], fresh)
    started = set(psutil.Process().children(recursive=True)) - before
    assert len(started) == 4  # the one all are forked from, the platform's, the module's, and what that started
    fresh.close()
    assert psutil.wait_procs(started, timeout=10)[1] == []


def test_a_process_that_is_killed_takes_the_processes_of_its_modules_with_it() -> None:
    program = (
        "import os, subprocess, time, pandas as pd\n"
        "from fink_dagster.science.isolation import processes\n"
        "from fink_dagster.science.module import Module, Output\n"
        "from fink_dagster.science.run import run_modules\n"
        "def wait(x):\n"
        "    started = subprocess.Popen(['sleep', '1000'], stderr=subprocess.DEVNULL)\n"
        "    print(os.getpid(), started.pid, file=os.fdopen(2, 'w'), flush=True); time.sleep(1000)\n"
        "run_modules(pd.DataFrame({'x': [1]}), [Module('a', '1', ('x',), (Output('a', 'int', '', '.'),), wait)], "
        "processes())\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert worker.stderr is not None
    left = [psutil.Process(int(pid)) for pid in worker.stderr.readline().split()]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stderr.close()
    assert len(left) == 2
    assert psutil.wait_procs(left, timeout=10)[1] == []


def test_whoever_ends_all_processes_costs_no_other_a_cell_nor_a_word(processes: Processes) -> None:
    def end_all(x: pd.Series) -> pd.Series:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(10)
        return x

    one = FRAME[:1]
    run_modules(one, GOOD, processes)
    ran = run_modules(one, [_module("a", end_all), *GOOD], processes)
    assert list(ran.failures) == ["a"]
    pd.testing.assert_frame_equal(ran.columns.drop(columns="a"), run_modules(one, GOOD).columns)


def test_an_answer_that_is_none_or_to_another_question_is_a_crash() -> None:
    module = GOOD[0]
    good = answer_message(1, answer_of(module, [FRAME["x"]], 40), module)
    assert read_answer(1, good, module, 40).columns["doubled"].tolist() == (2 * FRAME["x"]).tolist()
    noise = [b"", b"noise", good[:-20], good[: len(good) // 2], failure_message(2, Failure("raised", "."))]
    for number, message, alerts in [(2, good, 40), (1, good, 39), *((1, each, 40) for each in noise)]:
        with pytest.raises(Unavailable) as refused:
            read_answer(number, message, module, alerts)
        assert refused.value.code == "crashed"


def test_processor_time_in_another_process_is_told(processes: Processes) -> None:
    def work(x: pd.Series) -> pd.Series:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
        return x

    ran: Ran = run_modules(FRAME, [_module("a", work)], processes)
    assert ran.seconds["a"] >= 0.3
