"""What all tests share: the packets, and real servers for those that ask: one Kafka, one HBase, one Spark session.

The servers have ports and a data folder of their own, so that the tests run beside a platform that is up. Each test
uses nights, topics or lakes of its own. Unit tests ask for none of them.
"""

from __future__ import annotations

import shutil
import socket
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from fink_dagster.filters import registry as filters
from fink_dagster.local import hbase, kafka
from fink_dagster.local.samples import ensure_samples
from fink_dagster.science import registry
from fink_dagster.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("fink", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("fink")
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "ztf"


def free_ports(number: int) -> list[int]:
    """Return ports nobody listens on; held until all are found, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def packets_in(tarball: Path) -> list[bytes]:
    """Return the packets of a survey tarball in its order."""
    with tarfile.open(tarball) as tar:
        files = [tar.extractfile(member) for member in tar]
        return [file.read() for file in files if file is not None]


def settings_in(folder: Path, **others: object) -> Settings:
    """Return settings with a data folder and ports nobody else has."""
    names = ("kafka_port", "kafka_controller_port", "hbase_port", "hbase_zookeeper_port", "hbase_master_port")
    names = (*names, "hbase_regionserver_port", "dagster_port", "code_server_port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return Settings(data=folder, **{**ports, **others})


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running embedded Kafka and HBase."""
    folder = tmp_path_factory.mktemp("servers")
    made = settings_in(folder)
    with ThreadPoolExecutor(2) as pool:
        for started in [pool.submit(server.start, made) for server in (kafka, hbase)]:
            started.result()
    try:
        yield made
    finally:
        hbase.stop(made)
        kafka.stop(made)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """One Spark session; its catalog is the one of ``settings``."""
    from fink_dagster.lake.spark import session

    made = session(settings, "fink-tests")
    jvm = made.sparkContext._gateway.proc
    yield made
    made.stop()
    # The JVM ends with its input, but some time after Python; nothing is to be left when the tests are over.
    jvm.stdin.close()
    jvm.wait(60)


@pytest.fixture(scope="session")
def sample_tarball() -> Path:
    """The newcomer's 30 packets of 2018-08-19."""
    return ensure_samples(load_settings())


@pytest.fixture(scope="session")
def packets(sample_tarball: Path) -> list[bytes]:
    """The same, as bytes."""
    return packets_in(sample_tarball)


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder of science modules of one's own, looked into when the platform next asks after ``registry.reload``."""
    folder = tmp_path / "own_modules"
    folder.mkdir()
    monkeypatch.setenv("FINK_SCIENCE_MODULES", str(folder))
    registry.reload()
    yield folder
    registry.reload()


@pytest.fixture
def own_filters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder of filters of one's own, looked into when the platform next asks after ``reload`` of their registry."""
    folder = tmp_path / "own_filters"
    folder.mkdir()
    monkeypatch.setenv("FINK_FILTERS", str(folder))
    filters.reload()
    yield folder
    filters.reload()
