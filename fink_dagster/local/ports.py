"""Whether a port of this machine is free.

Every server of ours listens on loopback, so loopback is what is asked.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError

if TYPE_CHECKING:
    from fink_dagster.settings import Settings

LOOPBACK = "127.0.0.1"
_RELEASE_SECONDS = 5.0  # a killed JVM counts as ended before the kernel has closed its sockets


def port_is_free(port: int) -> bool:
    """Return whether a server of ours could listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Return whether something accepts connections on the port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def require_free(settings: Settings, server: str, *names: str) -> None:
    """Check that the ports named by these settings are free.

    Raises
    ------
    OperationError
        When another process has one of them, and keeps it.
    """
    for name in names:
        port = getattr(settings, name)
        if not _becomes_free(port):
            way_out = f"set FINK_{name.upper()} to a free port, or end what uses {port}"
            message = f"{server}: port {port} must be free; got a port in use by another process; {way_out}"
            raise OperationError(message)


def _becomes_free(port: int) -> bool:
    deadline = time.monotonic() + _RELEASE_SECONDS
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_RELEASE_SECONDS / 20)
    return True
