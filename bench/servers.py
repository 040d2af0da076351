"""Where the benchmark takes place: Kafka, HBase and Spark of its own, on free ports, in a folder removed afterwards.

The servers run on the same cores as what is measured, as they do on a laptop. Nothing of a platform that is up is
touched, and no survey's Kafka is ever written to, whatever the settings say.
"""

from __future__ import annotations

import shutil
import signal
import socket
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fink_dagster.lake.spark import session
from fink_dagster.local import platform
from fink_dagster.local.progress import waiting
from fink_dagster.settings import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

_PORTS = (
    "kafka_port",
    "kafka_controller_port",
    "hbase_port",
    "hbase_zookeeper_port",
    "hbase_master_port",
    "hbase_regionserver_port",
)


@contextmanager
def servers(settings: Settings) -> Iterator[tuple[Settings, SparkSession]]:
    """Start the servers and a Spark session; stop all and remove their data at the end, also after Ctrl-C.

    Parameters
    ----------
    settings : Settings
        Batch sizes, memory and Spark's master are taken from it, and the data folder is made inside its own.

    Yields
    ------
    Settings, SparkSession
        How to reach them.

    Raises
    ------
    OperationError
        When a server cannot be started.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=settings.data))
    own = _apart(settings, folder)
    spark = None
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with waiting("starting Kafka, HBase and Spark"):
            platform.start_servers(own)
            spark = session(own, "fink-bench")
        # PySpark puts its own handler here, which asks a session that may be ending.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield own, spark
    finally:
        # A second Ctrl-C from an impatient hand would leave servers behind that nobody knows of.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _remove(own, spark)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, before)


def _apart(settings: Settings, folder: Path) -> Settings:
    changes = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    kafka = {"survey_kafka": KafkaCluster(), "distribution_kafka": KafkaCluster()}
    hbase = {"hbase_address": None, "hbase_zookeeper_address": None}
    own_lake = {"data": folder, "lake_catalog": None, "lake_warehouse": None}
    return settings.model_copy(update={**changes, **kafka, **hbase, **own_lake})


def _free_ports(number: int) -> list[int]:
    """Return ports nobody listens on; held until all are found, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _remove(settings: Settings, spark: SparkSession | None) -> None:
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, settings.data, ignore_errors=True)
        stack.callback(platform.down, settings, lambda _: None)
        if spark is not None:
            spark.stop()


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
