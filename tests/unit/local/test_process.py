import json
import sys
import time

import psutil
import pytest

from fink_dagster.errors import OperationError
from fink_dagster.local import process
from fink_dagster.local.process import Server
from fink_dagster.settings import Settings

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = [sys.executable, "-c", "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)", *SLEEP]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


@pytest.fixture
def server(tmp_path):
    server = Server("sleeper", Settings(data=tmp_path))
    yield server
    process.stop(server, 1)


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_started_server_runs_until_it_is_stopped(server):
    started = process.start(server, SLEEP)
    assert process.running(server) == started
    process.stop(server)
    assert process.running(server) is None
    assert not psutil.pid_exists(started.pid)
    assert not server.record.exists()


def test_a_leftover_process_is_recognised_by_pid_and_start_time(server):
    started = process.start(server, SLEEP)
    record = json.loads(server.record.read_text())
    assert (record["pid"], record["create_time"], record["command"]) == (started.pid, started.create_time(), SLEEP)
    assert process.running(Server("sleeper", server.settings)) == started


def test_a_pid_given_to_somebody_else_is_not_the_server(server):
    process.start(server, SLEEP)
    record = json.loads(server.record.read_text())
    server.record.write_text(json.dumps(record | {"create_time": record["create_time"] - 60}))
    assert process.running(server) is None


@pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": 999999999, "create_time": 1}'])
def test_a_record_cut_short_or_of_the_past_means_nothing_runs(server, text):
    server.record.parent.mkdir(parents=True)
    server.record.write_text(text)
    assert process.running(server) is None


def test_a_process_that_ended_by_itself_does_not_run(server):
    process.start(server, [sys.executable, "-c", "pass"])
    wait_until(lambda: process.running(server) is None)


def test_stopping_ends_the_descendants(server):
    process.start(server, PARENT)
    wait_until(lambda: len(process.family(server)) == 2)
    family = process.family(server)
    process.stop(server)
    assert [member for member in family if process.alive(member)] == []


def test_a_descendant_whose_parent_was_killed_is_still_stopped(server):
    parent = process.start(server, PARENT)
    wait_until(lambda: len(process.family(server)) == 2)
    parent.kill()
    parent.wait(5)
    (orphan,) = process.family(server)
    process.stop(server)
    assert not process.alive(orphan)


def test_a_server_deaf_to_the_polite_signal_is_killed_after_the_grace(server):
    started = process.start(server, DEAF)
    wait_until(lambda: "deaf" in server.log.read_text())
    process.stop(server, grace_seconds=0.5)
    assert not started.is_running()


def test_a_process_its_parent_does_not_bury_is_not_waited_for():
    parent = psutil.Popen(PARENT)
    try:
        wait_until(parent.children)
        (child,) = parent.children()
        begun = time.monotonic()
        process.end([child], 20)
        assert time.monotonic() - begun < 5
        assert not process.alive(child)
    finally:
        parent.kill()
        parent.wait()


def test_stopping_what_does_not_run_is_no_error(server):
    process.stop(server)


def test_memory_counts_the_descendants(server):
    process.start(server, PARENT)
    wait_until(lambda: len(process.family(server)) == 2)
    assert process.rss_mib(server) > psutil.Process(process.running(server).pid).memory_info().rss / 2**20


def test_a_server_reads_the_settings_it_was_started_with(tmp_path, server):
    process.start(
        server,
        [sys.executable, "-c", "import os; print(os.environ['FINK_DATA'], os.environ['ADDED'])"],
        variables={"ADDED": "here"},
    )
    wait_until(lambda: server.log.read_text())
    assert server.log.read_text().split() == [str(tmp_path), "here"]


def test_the_log_of_the_start_before_is_kept(server):
    for word in ("first", "second"):
        process.start(server, [sys.executable, "-c", f"print('{word}')"])
        wait_until(lambda: process.running(server) is None)
    assert server.log.read_text().strip() == "second"
    assert server.log.with_suffix(".log.1").read_text().strip() == "first"


def test_a_server_that_ends_before_it_is_ready_is_reported_with_its_last_words(server):
    process.start(server, [sys.executable, "-c", "raise ValueError('no such port')"])
    with pytest.raises(
        OperationError, match=r"sleeper: must keep running; got its end: ValueError: no such port; read"
    ):
        process.wait_ready(server, lambda: False, timeout_seconds=20)


def test_a_server_that_is_never_ready_is_reported(server):
    process.start(server, SLEEP)
    with pytest.raises(OperationError, match=r"sleeper: must be ready within 1 s; got no answer; read"):
        process.wait_ready(server, lambda: False, timeout_seconds=1)
