import json
import textwrap
import time
import urllib.request

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.local import dagster, process

DEFINITIONS = """
    import subprocess
    import time
    from pathlib import Path

    import dagster as dg


    @dg.asset
    def endless():
        child = subprocess.Popen(["sleep", "600"])
        Path("started").touch()
        try:
            while True:
                time.sleep(0.2)
        finally:
            child.terminate()
            Path("torn down").touch()


    job = dg.define_asset_job("endless_job", [endless], executor_def=dg.in_process_executor)
    defs = dg.Definitions(assets=[endless], jobs=[job])
"""
LAUNCH = """mutation($launch: ExecutionParams!) {
  launchRun(executionParams: $launch) { __typename ... on PythonError { message } }
}"""


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "endless_definitions.py").write_text(textwrap.dedent(DEFINITIONS))
    return dagster.Code("endless_definitions", folder)


@pytest.fixture(scope="module", autouse=True)
def stopped_at_the_end(settings):
    yield
    dagster.stop(settings)
    assert [member for server in dagster.servers(settings) for member in process.family(server)] == []


@pytest.fixture
def started(settings, code):
    for marker in ("started", "torn down"):
        (code.folder / marker).unlink(missing_ok=True)
    dagster.start_views(settings, code)
    dagster.start_daemon(settings, code)


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def launch_endless_run(settings):
    selector = {"repositoryLocationName": "fink", "repositoryName": "__repository__", "jobName": "endless_job"}
    variables = {"launch": {"selector": selector, "runConfigData": {}}}
    body = json.dumps({"query": LAUNCH, "variables": variables}).encode()
    address = f"http://127.0.0.1:{settings.dagster_port}/graphql"
    with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "application/json"})) as reply:
        assert json.load(reply)["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"


@pytest.mark.usefixtures("started")
def test_every_listener_is_on_loopback(settings, listeners):
    found = set.union(*map(listeners, dagster.servers(settings)))
    assert {address for address, _ in found} <= {"127.0.0.1", "::1"}
    assert {settings.dagster_port, settings.code_server_port} <= {port for _, port in found}


@pytest.mark.usefixtures("started")
def test_a_run_is_torn_down_and_nothing_is_left_when_the_platform_stops(settings, code):
    launch_endless_run(settings)
    wait_until((code.folder / "started").exists)
    everything = [member for server in dagster.servers(settings) for member in process.family(server)]
    assert any("sleep" in member.name() for member in everything)
    dagster.stop(settings)
    assert (code.folder / "torn down").exists()
    assert [member for member in everything if process.alive(member)] == []
    assert not dagster.ready(settings)


@pytest.mark.slow
@pytest.mark.usefixtures("started")
def test_a_run_whose_code_server_was_killed_is_stopped_too(settings, code):
    launch_endless_run(settings)
    wait_until((code.folder / "started").exists)
    outer = process.running(dagster.code_server(settings))
    for member in [*outer.children(), outer]:
        member.kill()
    runs = dagster.run_workers(dagster.code_server(settings))
    assert runs
    dagster.stop(settings)
    assert (code.folder / "torn down").exists()
    assert [run for run in runs if process.alive(run)] == []


def test_definitions_that_do_not_load_are_reported_at_once(settings, tmp_path):
    dagster.stop(settings)
    (tmp_path / "broken_definitions.py").write_text("raise ValueError('no such survey')\n")
    with pytest.raises(OperationError, match=r"dagster: the definitions must load; got .*no such survey"):
        dagster.start_views(settings, dagster.Code("broken_definitions", tmp_path))
