"""Real servers for the integration tests: one Kafka, one HBase and one Spark session for all of them.

They have ports and a data folder of their own, so that the tests run beside a platform that is up. Each test uses
nights, topics or lakes of its own.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fink_dagster.lake.spark import session
from fink_dagster.local import hbase, kafka
from fink_dagster.settings import Settings
from tests.conftest import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession


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
    made = session(settings, "fink-tests")
    jvm = made.sparkContext._gateway.proc
    yield made
    made.stop()
    # The JVM ends with its input, but some time after Python; nothing is to be left when the tests are over.
    jvm.stdin.close()
    jvm.wait(60)
