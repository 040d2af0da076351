"""Servers of these tests alone: they are killed and restarted here, so that they cannot be the shared ones."""

import psutil
import pytest

from fink_dagster.local import process
from tests.conftest import settings_in


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of servers that are not started yet, in a folder whose name holds a space, as users' names do."""
    return settings_in(tmp_path_factory.mktemp("my data"))


@pytest.fixture
def listeners():
    """Return the (address, port) pairs a server and its descendants listen on."""

    def listeners(server):
        connections = [each for member in process.family(server) for each in member.net_connections("inet")]
        open_ = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
        return {(address.ip.removeprefix("::ffff:"), address.port) for address in open_}

    return listeners
