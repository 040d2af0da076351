"""Dagster's own processes: code server, webserver and daemon, started, probed and stopped.

Only as programs: nothing here imports dagster. What they show and run is ``definitions``.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

import psutil

from fink_dagster.errors import OperationError
from fink_dagster.local import process
from fink_dagster.local.ports import LOOPBACK, answers, require_free
from fink_dagster.local.process import Server
from fink_dagster.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 180.0  # 15 s on an idle machine
RUN_GRACE_SECONDS = 30.0  # a stream finishes its micro-batch and stops Spark
_STOP_SECONDS = 20.0
_ASK_SECONDS = 10.0

_QUERY = """{
  workspaceOrError { __typename
    ... on Workspace { locationEntries { locationOrLoadError { __typename
      ... on PythonError { message causes { message } } } } } }
  instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } }
}"""
_WORKSPACE = """\
# Written at each start; the committed workspace.yaml is for those who start Dagster themselves.
load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: fink
"""


@dataclass(frozen=True)
class Code:
    """The code location Dagster serves."""

    module: str = "fink_dagster.definitions"
    folder: Path = CHECKOUT


def servers(settings: Settings) -> list[Server]:
    """Return Dagster's processes, running or not."""
    return [code_server(settings), webserver(settings), daemon(settings)]


def code_server(settings: Settings) -> Server:
    """Return the process that holds the definitions and whose descendants are the runs."""
    return Server("dagster-code-server", settings)


def webserver(settings: Settings) -> Server:
    """Return the process that serves the UI."""
    return Server("dagster-webserver", settings)


def daemon(settings: Settings) -> Server:
    """Return the process that ticks sensors and launches runs."""
    return Server("dagster-daemon", settings)


def start_views(settings: Settings, code: Code | None = None) -> None:
    """Have the code server and the webserver running and the definitions loaded; what runs is kept.

    Nothing is launched before :func:`start_daemon`.

    Raises
    ------
    OperationError
        When a port is taken, a process ends, or the definitions do not load.
    """
    code = code or Code()
    write_configuration(settings)
    if process.running(code_server(settings)) is None:
        require_free(settings, "dagster", "code_server_port")
        _start(code_server(settings), code, _code_server_command(settings, code))
    if process.running(webserver(settings)) is None:
        require_free(settings, "dagster", "dagster_port")
        # The workspace is read at start, so that a code server still loading would be shown as an error.
        process.wait_ready(
            code_server(settings), lambda: answers(settings.code_server_port), timeout_seconds=START_SECONDS
        )
        port = ("-h", LOOPBACK, "-p", str(settings.dagster_port), "-w", str(_workspace(settings)))
        _start(webserver(settings), code, [sys.executable, "-m", "dagster_webserver", *port])
    process.wait_ready(webserver(settings), lambda: _loaded(settings), timeout_seconds=START_SECONDS)


def start_daemon(settings: Settings, code: Code | None = None) -> None:
    """Have the daemon running; one that runs is kept.

    Raises
    ------
    OperationError
        When it ends at once or does not report itself healthy.
    """
    if process.running(daemon(settings)) is None:
        command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(_workspace(settings))]
        _start(daemon(settings), code or Code(), command)
    process.wait_ready(daemon(settings), lambda: ready(settings), timeout_seconds=START_SECONDS)


def stop(settings: Settings) -> None:
    """Stop Dagster: first what launches runs, then the runs, then what serves them.

    A run that is stopped this way is not canceled but interrupted, so that it is taken up again at the next start.
    """
    process.stop(daemon(settings), _STOP_SECONDS)
    process.end(run_workers(code_server(settings)), RUN_GRACE_SECONDS)
    process.stop(code_server(settings), _STOP_SECONDS)
    process.stop(webserver(settings), _STOP_SECONDS)


def run_workers(server: Server) -> list[psutil.Process]:
    """Return the processes of runs: what a code server's inner server started, and what lost its parent."""
    main = process.running(server)
    family = {member.pid: member for member in process.family(server)}
    outer = {main.pid} if main else set()
    inner = {pid for pid, member in family.items() if _parent(member) in outer}
    runs = [
        member
        for pid, member in family.items()
        if pid not in outer | inner and (_parent(member) in inner or _parent(member) not in family)
    ]
    return [run for run in runs if not _ends_with_its_run(run)]


def ready(settings: Settings) -> bool:
    """Return whether the UI answers, the definitions are loaded and the daemon reports itself healthy."""
    answer = _answer(settings)
    ticking = process.running(daemon(settings))
    if answer is None or ticking is None or load_error(answer) is not None or _locations(answer) == 0:
        return False
    since = ticking.create_time()  # Dagster remembers the heartbeats of the daemon before
    statuses = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all(
        status["healthy"] and (status["lastHeartbeatTime"] or 0) > since for status in statuses if status["required"]
    )


def load_error(answer: dict[str, Any]) -> str | None:
    """Return why the definitions could not be loaded, from an answer of the webserver, or None when they were."""
    entries = answer["workspaceOrError"].get("locationEntries", [])
    states = [entry["locationOrLoadError"] for entry in entries if entry["locationOrLoadError"]]
    errors = [[state, *state["causes"]] for state in states if state["__typename"] == "PythonError"]
    return str(errors[0][-1]["message"]) if errors else None


def write_configuration(settings: Settings) -> None:
    """Put ``dagster.yaml`` where Dagster looks for it, and write the workspace."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    _workspace(settings).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CHECKOUT / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    _workspace(settings).write_text(_WORKSPACE.format(host=LOOPBACK, port=settings.code_server_port))


def _workspace(settings: Settings) -> Path:
    return settings.data / "run" / "workspace.yaml"


def _start(server: Server, code: Code, command: list[str]) -> None:
    process.start(server, command, folder=code.folder, variables={"DAGSTER_HOME": str(server.settings.dagster_home)})


def _code_server_command(settings: Settings, code: Code) -> list[str]:
    listen = ("--host", LOOPBACK, "--port", str(settings.code_server_port))
    load = ("--module-name", code.module, "--working-directory", str(code.folder), "--location-name", "fink")
    # Runs use this very Python, also where its environment was not activated.
    python = "--use-python-environment-entry-point"
    return [sys.executable, "-m", "dagster", "code-server", "start", *listen, *load, python]


def _loaded(settings: Settings) -> bool:
    answer = _answer(settings)
    if answer is None:
        return False
    error = load_error(answer)
    if error is not None:
        said = " ".join(error.split())[:300]
        message = f"dagster: the definitions must load; got {said}; read {code_server(settings).log}"
        raise OperationError(message)
    return _locations(answer) > 0


def _locations(answer: dict[str, Any]) -> int:
    entries = answer["workspaceOrError"].get("locationEntries", [])
    return sum(1 for entry in entries if entry["locationOrLoadError"])


def _answer(settings: Settings) -> dict[str, Any] | None:
    """Return what the webserver says about itself, or None while it does not answer."""
    connection = HTTPConnection(LOOPBACK, settings.dagster_port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/server_info")
        connection.getresponse().read()
        body = json.dumps({"query": _QUERY})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        data: dict[str, Any] | None = json.load(connection.getresponse()).get("data")
    except (HTTPException, OSError, ValueError):
        return None
    finally:
        connection.close()
    return data


def _ends_with_its_run(member: psutil.Process) -> bool:
    """Return whether it is Python's own tracker of shared memory, which is deaf to signals on purpose."""
    try:
        return any("multiprocessing.resource_tracker" in part for part in member.cmdline())
    except psutil.Error:
        return True


def _parent(member: psutil.Process) -> int | None:
    try:
        return member.ppid()
    except psutil.NoSuchProcess:
        return None
