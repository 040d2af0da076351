"""A server process of ours: started detached, remembered in a record file, stopped with all it started.

A process is recognised by its pid together with the time it was started, never by its name, so that a pid given to
somebody else is left alone. What the servers are and when they are ready stands with each of them.
"""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fink_dagster.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from fink_dagster.settings import Settings

MARK = "FINK_SERVER"  # environment variable that tells whose descendant a process is, also when its parent is gone
_SAME_START_SECONDS = 1.0  # psutil derives the start from the boot time, which moves when the clock is set
_KILL_SECONDS = 5.0
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Server:
    """One server of the platform, with the files that belong to it."""

    name: str
    settings: Settings

    @property
    def record(self) -> Path:
        """File that says which process it is."""
        return self.settings.data / "run" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """File that receives its standard output and error."""
        return self.settings.data / "log" / f"{self.name}.log"


def start(
    server: Server, command: Sequence[str], *, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> psutil.Process:
    """Start the server detached from this process and terminal, and record it.

    The log of the start before is kept beside the new one, with the ending ``.1``.

    Parameters
    ----------
    server : Server
        Must not be running.
    command : sequence of str
        What to run.
    folder : Path, optional
        Where to run it; the current folder otherwise.
    variables : mapping, optional
        Environment variables beyond the settings.
    """
    server.record.parent.mkdir(parents=True, exist_ok=True)
    server.log.parent.mkdir(parents=True, exist_ok=True)
    if server.log.exists():
        server.log.replace(server.log.with_suffix(".log.1"))
    environment = server.settings.environment() | dict(variables or {}) | {MARK: str(server.record)}
    with server.log.open("wb") as log:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child.returncode = 0  # It outlives us on purpose; without this Popen warns when it is forgotten.
    process = psutil.Process(child.pid)
    write_record(server, process, command)
    return process


def write_record(server: Server, process: psutil.Process, command: Sequence[str]) -> None:
    """Remember which process the server is."""
    record = {"pid": process.pid, "create_time": process.create_time(), "command": list(command)}
    partial = server.record.with_suffix(".partial")
    partial.write_text(json.dumps(record))
    partial.replace(server.record)


def running(server: Server) -> psutil.Process | None:
    """Return the server's process, or None when it does not run."""
    try:
        record = json.loads(server.record.read_text())
        process = psutil.Process(record["pid"])
        same = abs(process.create_time() - record["create_time"]) < _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return None


def family(server: Server) -> list[psutil.Process]:
    """Return the server's process and all its descendants, also those whose parent is gone."""
    main = running(server)
    found = {main.pid: main} if main else {}
    found |= {child.pid: child for child in (_children(main) if main else [])}
    for process in psutil.process_iter():
        if process.pid not in found and _marked(process, str(server.record)):
            found[process.pid] = process
    return [process for process in found.values() if alive(process)]


def alive(process: psutil.Process) -> bool:
    """Return whether a process does anything still; one that has ended and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def rss_mib(server: Server) -> int:
    """Return the memory the server and its descendants hold, in MiB."""
    return round(sum(map(_rss, family(server))) / 2**20)


def stop(server: Server, grace_seconds: float = 30.0) -> None:
    """End the server and its descendants: asked first, after the grace killed.

    Parameters
    ----------
    server : Server
        May be running or not.
    grace_seconds : float
        How long the server has to end by itself.
    """
    main = running(server)
    if main is not None:
        end([main], grace_seconds)
    end(family(server), _KILL_SECONDS)
    server.record.unlink(missing_ok=True)


def end(processes: Iterable[psutil.Process], grace_seconds: float) -> None:
    """Ask processes to end, and kill after the grace those that have not."""
    processes = list(processes)
    for process in processes:
        _signal(process.terminate)
    left = _wait(processes, grace_seconds)
    for process in left:
        _signal(process.kill)
    _wait(left, _KILL_SECONDS)


def wait_ready(server: Server, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
    """Return when ``ready()`` holds.

    Raises
    ------
    OperationError
        When the process ends before, or the time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if running(server) is None:
            message = f"{server.name}: must keep running; got its end: {last_words(server)}; read {server.log}"
            raise OperationError(message)
        if time.monotonic() > deadline:
            wanted = f"must be ready within {timeout_seconds:.0f} s"
            message = f"{server.name}: {wanted}; got no answer; read {server.log} and try again"
            raise OperationError(message)
        time.sleep(_POLL_SECONDS)


def last_words(server: Server) -> str:
    """Return the line of the log that tells best why the server ended."""
    lines = server.log.read_text(errors="replace").splitlines() if server.log.exists() else []
    told = [line.strip() for line in lines if line.strip() and not line.startswith(("\t", "    at "))]
    telling = [line for line in told if "Exception" in line or "ERROR" in line or "Error:" in line]
    return ((telling or told or ["nothing said"])[-1])[:300]


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until processes have ended; return those that have not."""
    deadline = time.monotonic() + seconds
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < deadline:
        # Not to the deadline: a child of another process may stay a zombie for as long as that one likes.
        _, left = psutil.wait_procs(left, timeout=_POLL_SECONDS)
        left = [process for process in left if alive(process)]
    psutil.wait_procs(processes, timeout=0)  # buries children of ours
    return left


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _signal(send: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        send()
