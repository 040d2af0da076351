"""The lease of a night: one run writes it, and the next waits until the last one's JVM is gone too.

A file lock, since the system drops it with its holder, and a record of who holds it. The JVM may outlive a killed
Python parent by a second, and would go on committing meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import IO, TYPE_CHECKING

import psutil

from fink_dagster.errors import OperationError

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE_SECONDS = 0.5


class NightLease:
    """The right to write a night.

    Parameters
    ----------
    folder : Path
        The night's checkpoint folder.
    run : str
        Who asks, for the sentence the next one reads.
    """

    def __init__(self, folder: Path, run: str) -> None:
        self._lock = folder / "lock"
        self._record = folder / "holder.json"
        self._run = run
        self._file: IO[str] | None = None

    def acquire(self, jvm_pid: int | None = None, patience_seconds: float = 30.0) -> None:
        """Take the lease.

        Parameters
        ----------
        jvm_pid : int, optional
            Process id of the JVM that will write.
        patience_seconds : float
            How long to wait for a holder that is ending.

        Raises
        ------
        OperationError
            When another run still holds it.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + patience_seconds
        file = self._lock.open("a")
        while not (_locked(file) and not self._jvm_lives()):
            if time.monotonic() > deadline:
                file.close()
                night = self._lock.parent.name
                message = f"night {night}: one run may write it; {self._holder()} does; cancel that run first"
                raise OperationError(message)
            time.sleep(_PAUSE_SECONDS)
        self._file = file
        started = psutil.Process(jvm_pid).create_time() if jvm_pid else None
        record = {"run": self._run, "pid": os.getpid(), "jvm_pid": jvm_pid, "jvm_started": started}
        self._record.write_text(json.dumps(record), encoding="utf-8")

    def release(self) -> None:
        """Give the lease back."""
        if self._file is not None:
            self._record.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _read(self) -> dict[str, object]:
        try:
            return dict(json.loads(self._record.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            return {}

    def _holder(self) -> str:
        return f"run {self._read().get('run', 'unknown')}"

    def _jvm_lives(self) -> bool:
        pid, started = self._read().get("jvm_pid"), self._read().get("jvm_started")
        if not isinstance(pid, int):
            return False
        try:
            return psutil.Process(pid).create_time() == started
        except psutil.NoSuchProcess:
            return False


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
