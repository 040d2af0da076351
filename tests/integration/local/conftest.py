"""Servers of these tests alone: they are killed and restarted here, so that they cannot be the shared ones."""

import socket
from contextlib import ExitStack

import psutil
import pytest

from fink_dagster.local import process
from fink_dagster.settings import Settings


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings with a data folder and ports of their own; the folder's name holds a space, as users' names do."""
    names = ("kafka_port", "kafka_controller_port", "hbase_port", "hbase_zookeeper_port", "hbase_master_port")
    names += ("hbase_regionserver_port", "dagster_port", "code_server_port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return Settings(data=tmp_path_factory.mktemp("my data"), **ports)


@pytest.fixture
def listeners():
    """Return the (address, port) pairs a server and its descendants listen on."""

    def listeners(server):
        connections = [each for member in process.family(server) for each in member.net_connections("inet")]
        open_ = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
        return {(address.ip.removeprefix("::ffff:"), address.port) for address in open_}

    return listeners
