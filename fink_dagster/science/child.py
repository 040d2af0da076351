"""The process in which science modules are called, and the one it is forked from.

Run as ``python -m fink_dagster.science.child DESCRIPTOR`` by ``isolation``, with an environment that holds no secrets.
The first process imports what all modules need and computes nothing; each process with modules is a fork of it, so that
one more costs some milliseconds and little memory. No rule is here of what becomes of a module that fails.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import TYPE_CHECKING

from fink_dagster.science.answers import answer_of
from fink_dagster.science.failure import failure_of
from fink_dagster.science.transport import answer_message, asked, failure_message

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

_MEBIBYTE = 2**20
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux' prctl


def main() -> None:
    """Fork a process for whoever sends a descriptor, and tell how one ended when asked by its pid."""
    # Alerts in the memory of a process that crashed are no reason to fill a disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    door = Connection(int(sys.argv[1]))
    forked: dict[int, ForkProcess] = {}
    try:
        _serve_door(door, forked)
    finally:
        # Who asked is gone, perhaps without having ended anything; what modules have started goes with them. The pid of
        # one that has ended may be somebody else's by now.
        for pid, process in forked.items():
            if process.is_alive():
                with suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)


def _serve_door(door: Connection, forked: dict[int, ForkProcess]) -> None:
    while True:
        try:
            pid = int(door.recv_bytes())
        except EOFError:
            return
        if pid:
            process = forked.pop(pid)
            process.join()
            said = process.exitcode or 0
        else:
            connection = Connection(recv_handle(door))
            process = get_context("fork").Process(target=_serve, args=(connection, door))
            process.start()
            connection.close()
            said = process.pid or 0
            forked[said] = process
        door.send_bytes(str(said).encode())


def _serve(connection: Connection, door: Connection) -> None:
    """Answer one question after the other."""
    door.close()
    os.setsid()
    _die_with_parent()
    own = os.getpid()
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        answer = _answer(message)
        if os.getpid() != own:
            # A module has forked and come back twice; one of the two answers is enough.
            os._exit(0)
        connection.send_bytes(answer)


def _answer(message: bytes) -> bytes:
    number, module, columns, alerts = asked(message)
    try:
        _allow(module.limits.memory_mib)
        start = time.process_time()
        answer = answer_of(module, columns, alerts)
        return answer_message(number, replace(answer, seconds=time.process_time() - start), module)
    except BaseException as error:  # noqa: BLE001 - anybody's code: it may end the process, or panic in Rust
        return failure_message(number, failure_of(error))


def _allow(memory_mib: int) -> None:
    """Let this process hold so much memory; files mapped into it, as indexes of catalogues are, do not count."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (int(memory_mib * _MEBIBYTE), hard))


def _die_with_parent() -> None:
    """Have the kernel end this process when its parent ends: one that never answers would stay for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    main()
