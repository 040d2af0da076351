from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fink_dagster.errors import OperationError
from fink_dagster.streams.lease import NightLease

TAKES_AND_WAITS = """
import sys, time
from pathlib import Path
from fink_dagster.streams.lease import NightLease
lease = NightLease(Path(sys.argv[1]), "the killed one")
lease.acquire()
print("taken", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "2018-08-19"


def test_a_second_taker_is_told_the_night_and_the_run_that_holds_it(folder: Path) -> None:
    first = NightLease(folder, "run-1")
    first.acquire()
    sentence = "night 2018-08-19: one run may write it; run run-1 does; cancel that run first"
    with pytest.raises(OperationError, match=sentence):
        NightLease(folder, "run-2").acquire(patience_seconds=0)
    first.release()


def test_a_lease_given_back_is_free_and_leaves_no_record(folder: Path) -> None:
    first = NightLease(folder, "run-1")
    first.acquire(jvm_pid=os.getpid())
    first.release()
    assert not (folder / "holder.json").exists()
    second = NightLease(folder, "run-2")
    second.acquire(patience_seconds=0)
    second.release()


def test_giving_back_twice_does_not_take_the_lease_from_the_next_one(folder: Path) -> None:
    first, second = NightLease(folder, "run-1"), NightLease(folder, "run-2")
    first.acquire()
    first.release()
    second.acquire()
    first.release()
    with pytest.raises(OperationError, match="run run-2 does"):
        NightLease(folder, "run-3").acquire(patience_seconds=0)
    second.release()


def test_nights_do_not_exclude_each_other(tmp_path: Path) -> None:
    leases = [NightLease(tmp_path / night, "run") for night in ("2018-08-19", "2018-08-20")]
    for lease in leases:
        lease.acquire(patience_seconds=0)
    for lease in leases:
        lease.release()


def test_a_killed_holder_s_lease_is_free(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", TAKES_AND_WAITS, folder], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(OperationError, match="run the killed one does"):
            NightLease(folder, "next").acquire(patience_seconds=0)
        holder.kill()
    after = NightLease(folder, "next")
    after.acquire(patience_seconds=5)
    after.release()


def _record(folder: Path, pid: int, started: float) -> None:
    folder.mkdir()
    record = {"run": "orphan", "pid": 1, "jvm_pid": pid, "jvm_started": started}
    (folder / "holder.json").write_text(json.dumps(record))


def test_a_jvm_that_outlives_its_run_still_holds_the_night(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as jvm:
        _record(folder, jvm.pid, psutil.Process(jvm.pid).create_time())
        with pytest.raises(OperationError, match="run orphan does"):
            NightLease(folder, "next").acquire(patience_seconds=0)
        jvm.kill()
    after = NightLease(folder, "next")
    after.acquire(patience_seconds=5)
    after.release()


def test_another_process_with_the_number_of_a_dead_jvm_holds_nothing(folder: Path) -> None:
    _record(folder, os.getpid(), psutil.Process().create_time() - 1000)
    lease = NightLease(folder, "next")
    lease.acquire(patience_seconds=0)
    lease.release()


def test_a_damaged_record_does_not_keep_a_night_closed(folder: Path) -> None:
    folder.mkdir()
    (folder / "holder.json").write_text('{"run": "x"')
    lease = NightLease(folder, "next")
    lease.acquire(patience_seconds=0)
    lease.release()
