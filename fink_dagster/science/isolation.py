"""Science modules in processes of their own: one that never returns, crashes or takes all memory harms no other.

The platform's modules share a process, every other module has its own. How a module is called and what its answer must
be is said in ``answers``; what becomes of one that fails, in ``run``.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from multiprocessing import Pipe
from multiprocessing.reduction import send_handle
from typing import TYPE_CHECKING

from fink_dagster.science.failure import CRASHED, OUT_OF_MEMORY, TIMEOUT
from fink_dagster.science.module import Unavailable
from fink_dagster.science.transport import question, read_answer
from fink_dagster.settings import harmless_environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    import pandas as pd

    from fink_dagster.science.answers import Answer
    from fink_dagster.science.module import Module

_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Each worker of Spark has a core; threads of numerical libraries beside it would take another's."""

_PATIENCE_SECONDS = 5.0
_STDERR = 2
"""Where modules print to: a command's own output is for programs."""


class Processes:
    """The processes of modules, started when first needed and again after one has ended.

    Used as the ``call`` of :func:`~fink_dagster.science.run.run_modules`, one question at a time.
    """

    def __init__(self) -> None:
        self._server: _ForkServer | None = None
        self._processes: dict[str, _Process] = {}

    def __call__(self, module: Module, columns: Sequence[pd.Series], number: int) -> Answer:
        """Ask a module in its process.

        Parameters
        ----------
        module : Module
            Which.
        columns : sequence of Series
            One per input, optional ones after the others.
        number : int
            How many alerts there are.

        Raises
        ------
        Unavailable
            When it gave nothing, with the code of its failure.
        """
        place = module.name if module.alone else ""
        process = self._processes.pop(place, None)
        if process and process.is_spent():
            process.end()
            process = None
        process = process or self._started()
        try:
            answer = process.ask(module, columns, number)
        except Unavailable as failure:
            if failure.code in (CRASHED, OUT_OF_MEMORY, TIMEOUT):
                process.end()
            else:
                self._processes[place] = process
            raise
        except BaseException:
            process.end()
            raise
        self._processes[place] = process
        return answer

    def close(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            process.end()
        if self._server:
            self._server.close()
        self._server, self._processes = None, {}

    def _started(self) -> _Process:
        if self._server:
            # A module may have ended this one as well.
            with suppress(EOFError, OSError):
                return self._server.fork()
            self._server.close()
        self._server = _ForkServer()
        return self._server.fork()


@cache
def processes() -> Processes:
    """Return those of this Python process."""
    made = Processes()
    atexit.register(made.close)
    return made


class _Process:
    """One process with modules in it."""

    def __init__(self, pid: int, connection: Connection, server: _ForkServer) -> None:
        self._pid, self._connection, self._server = pid, connection, server
        self._questions = 0

    def is_spent(self) -> bool:
        """Tell whether it has ended, or said something nobody asked."""
        return self._connection.poll()

    def ask(self, module: Module, columns: Sequence[pd.Series], number: int) -> Answer:
        """Return what a module gives for some alerts, or raise Unavailable with why it gives nothing."""
        self._questions += 1
        message = question(self._questions, module, columns, number)
        return read_answer(self._questions, self._answered(message, module.limits.seconds), module, number)

    def _answered(self, message: bytes, seconds: float) -> bytes:
        late = threading.Event()
        clock = threading.Timer(seconds, self._give_up, [late])
        clock.daemon = True
        clock.start()
        answer = None
        with suppress(EOFError, OSError):
            self._connection.send_bytes(message)
            answer = self._connection.recv_bytes()
        clock.cancel()
        clock.join()
        if late.is_set():
            raise Unavailable(TIMEOUT, f"took more than the {seconds:g} s it may; its process was ended")
        if answer is None:
            self._kill()
            raise Unavailable(CRASHED, self._server.end_of(self._pid))
        return answer

    def end(self) -> None:
        """End the process and whatever it started in its session."""
        self._kill()
        self._connection.close()

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        self._kill()
        # Whoever inherited the other end would keep us waiting still.
        with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def _kill(self) -> None:
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(self._pid, signal.SIGKILL)


class _ForkServer:
    """The process the others are forked from."""

    def __init__(self) -> None:
        self._door, theirs = Pipe()
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fink_dagster.science.child", str(theirs.fileno())],
                env={**harmless_environment(), **_ONE_CORE, "PYTHONPATH": paths},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                start_new_session=True,
            )

    def fork(self) -> _Process:
        """Start one more process."""
        ours, theirs = Pipe()
        with theirs:
            self._door.send_bytes(b"0")
            send_handle(self._door, theirs.fileno(), None)
            return _Process(int(self._door.recv_bytes()), ours, self)

    def end_of(self, pid: int) -> str:
        """Return how a process that has ended did, in a sentence."""
        try:
            self._door.send_bytes(str(pid).encode())
            code = int(self._door.recv_bytes())
        except (EOFError, OSError):
            return "its process was ended, and the one it came from"
        return "its process ended with " + (f"exit code {code}" if code >= 0 else signal.Signals(-code).name)

    def close(self) -> None:
        """End it, and with it what it forked and what that started; it does so itself when nobody asks any more."""
        self._door.close()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
