"""What must be there before the platform can run, looked at one thing at a time.

Each check says one sentence with the way out. Nothing is repaired here.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from fink_dagster.errors import FinkError, OperationError
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.local import dagster, hbase, kafka, kafka_security, platform, process
from fink_dagster.local.jar_lock import ROOTS
from fink_dagster.local.jars import jar_paths
from fink_dagster.local.java import java_version, require_java
from fink_dagster.local.platform import embeds_hbase, embeds_kafka
from fink_dagster.local.ports import port_is_free
from fink_dagster.local.samples import sample_tarball

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fink_dagster.local.process import Server
    from fink_dagster.settings import Settings

OLDEST_PYTHON = (3, 11)
NEEDED_DISK_GIB = 5  # jars, a night of samples in all its tables, logs
NEEDED_MEMORY_GIB = 6  # all servers and one Spark application, at most
_GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    good: bool
    sentence: str


def examine(settings: Settings) -> list[Finding]:
    """Return what every check found, the bad ones with the way out."""
    checks: tuple[Callable[[Settings], str], ...]
    checks = (_python, _java, _jars, _samples, _ports, _security, _disk, _memory)
    return [_finding(check, settings) for check in checks]


def _finding(check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(good=True, sentence=check(settings))
    except FinkError as error:
        return Finding(good=False, sentence=str(error))


def _python(settings: Settings) -> str:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < OLDEST_PYTHON:
        message = f"python: version 3.11 or newer must run this; got {found}; run make setup PYTHON=python3.11"
        raise OperationError(message)
    return f"python: {found}"


def _java(settings: Settings) -> str:
    require_java()
    return f"java: {java_version()}"


def _jars(settings: Settings) -> str:
    return f"jars: {sum(len(jar_paths(settings, group)) for group in ROOTS)} verified"


def _samples(settings: Settings) -> str:
    return f"samples: {sample_tarball(settings).name}"


def _ports(settings: Settings) -> str:
    taken = [name for server, names in _own_ports(settings) for name in names if _taken(settings, server, name)]
    if taken:
        which = ", ".join(f"{getattr(settings, name)} (FINK_{name.upper()})" for name in taken)
        message = f"ports: must be free; got in use by another process: {which}; set them to free ports"
        raise OperationError(message)
    return "ports: free, or used by this platform"


def _own_ports(settings: Settings) -> list[tuple[Server, tuple[str, ...]]]:
    ports: list[tuple[Server, tuple[str, ...]]] = [
        (dagster.code_server(settings), ("code_server_port",)),
        (dagster.webserver(settings), ("dagster_port",)),
    ]
    if embeds_kafka(settings):
        ports.append((kafka.server(settings), ("kafka_port", "kafka_controller_port")))
    if embeds_hbase(settings):
        names = ("hbase_zookeeper_port", "hbase_master_port", "hbase_regionserver_port")
        ports += [(hbase.thrift(settings), ("hbase_port",)), (hbase.master(settings), names)]
    return ports


def _taken(settings: Settings, server: Server, name: str) -> bool:
    return process.running(server) is None and not port_is_free(getattr(settings, name))


def _security(settings: Settings) -> str:
    kafka_security.must_be_possible(settings)
    distribution_client(settings)
    how = platform.kafka_security(settings)
    if how == platform.OPEN:
        return "security: off, whoever reaches the Kafka of user topics reads and writes there"
    return f"security: on, users of the Kafka of user topics log in by {how}"


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(_existing(settings.data)).free / _GIB
    if free < NEEDED_DISK_GIB:
        way_out = "free some, or set FINK_DATA to a folder on a larger disk"
        message = f"disk: {NEEDED_DISK_GIB} GiB must be free at {settings.data}; got {free:.1f}; {way_out}"
        raise OperationError(message)
    return f"disk: {free:.0f} GiB free"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _memory(settings: Settings) -> str:
    servers = [kafka.server(settings), hbase.master(settings), hbase.thrift(settings), *dagster.servers(settings)]
    own = sum(map(process.rss_mib, servers)) * 2**20
    available = (psutil.virtual_memory().available + own) / _GIB
    if available < NEEDED_MEMORY_GIB:
        way_out = "end other programs, or set FINK_SPARK_DRIVER_MEMORY lower"
        message = f"memory: {NEEDED_MEMORY_GIB} GiB must be available; got {available:.1f}; {way_out}"
        raise OperationError(message)
    return f"memory: {available:.0f} GiB available"
