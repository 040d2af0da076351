"""The embedded HBase: configured, started, probed, stopped.

Two processes on loopback: the master, which in standalone mode is ZooKeeper and region server as well, and the Thrift
server clients talk to. Tables, rows and cells belong to ``fink_dagster.hbase``. A set-up for one machine: a survey
gives the address of its own cluster instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from happybase import Connection
from thriftpy2.thrift import TException

from fink_dagster.errors import OperationError
from fink_dagster.local import process
from fink_dagster.local.jars import jar_paths
from fink_dagster.local.java import java_command
from fink_dagster.local.ports import LOOPBACK, answers, require_free
from fink_dagster.local.process import Server

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.settings import Settings

START_SECONDS = 120.0  # 11 s on an idle machine
STOP_SECONDS = 60.0  # 2 s to 10 s; regions are flushed, which spares the next start the splitting of logs
_ASK_SECONDS = 30.0

# JDK 17 closes what HBase 2.6 and its Hadoop 2.10 reach into.
_OPENED = ("lang", "lang.reflect", "nio", "util", "util.concurrent")
_JVM = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    *(f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
)
_MASTER_HEAP = ("-Xms64m", "-Xmx400m", "-XX:MaxDirectMemorySize=64m", "-XX:MaxMetaspaceSize=160m")
_THRIFT_HEAP = ("-Xms32m", "-Xmx224m", "-XX:MaxDirectMemorySize=64m", "-XX:MaxMetaspaceSize=128m")

_LOGGING = """\
log4j.rootLogger=WARN,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %m (%c{1})%n
# What these warn of is normal on one machine, and hides what is not.
log4j.logger.org.apache.zookeeper.ClientCnxn=ERROR
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.logger.org.apache.hadoop.metrics2.impl.MetricsConfig=ERROR
"""


def master(settings: Settings) -> Server:
    """Return the master's process, running or not."""
    return Server("hbase-master", settings)


def thrift(settings: Settings) -> Server:
    """Return the Thrift server's process, running or not."""
    return Server("hbase-thrift", settings)


def start(settings: Settings) -> None:
    """Have the embedded HBase running and answering; a healthy one is kept.

    Raises
    ------
    OperationError
        When a port is taken, the jars are absent, or HBase does not answer after two attempts.
    """
    if process.running(master(settings)) and process.running(thrift(settings)) and ready(settings):
        return
    write_configuration(settings)
    process.stop(thrift(settings), STOP_SECONDS)
    require_free(settings, "hbase", "hbase_port")
    try:
        _start_once(settings)
    except OperationError:
        stop(settings)
        _start_once(settings)


def stop(settings: Settings) -> None:
    """Stop the embedded HBase cleanly, if it runs: first whom clients talk to, then what it stands on."""
    process.stop(thrift(settings), STOP_SECONDS)
    process.stop(master(settings), STOP_SECONDS)


def ready(settings: Settings) -> bool:
    """Return whether the embedded HBase answers."""
    return answers(settings.hbase_port) and answers_reads((LOOPBACK, settings.hbase_port))


def answers_reads(address: tuple[str, int]) -> bool:
    """Return whether an HBase Thrift server lists its tables and reads a row of its own catalog."""
    host, port = address
    connection = Connection(host, port, timeout=round(_ASK_SECONDS * 1000), autoconnect=False)
    try:
        connection.open()
        connection.tables()
        list(connection.table("hbase:meta").scan(limit=1))
    except (TException, OSError):
        return False
    finally:
        connection.close()
    return True


def write_configuration(settings: Settings) -> None:
    """Write HBase's configuration files."""
    folder = _configuration(settings)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j.properties").write_text(_LOGGING)
    lines = "\n".join(
        f"  <property><name>{name}</name><value>{escape(value)}</value></property>"
        for name, value in site(settings).items()
    )
    (folder / "hbase-site.xml").write_text(f"<configuration>\n{lines}\n</configuration>\n")


def site(settings: Settings) -> dict[str, str]:
    """Return the properties of ``hbase-site.xml``."""
    folder = _folder(settings)
    return _storage(folder) | _listeners(settings) | _sizes()


def _storage(folder: Path) -> dict[str, str]:
    return {
        "hbase.rootdir": f"file://{folder / 'root'}",
        "hbase.tmp.dir": str(folder / "tmp"),
        "hbase.zookeeper.property.dataDir": str(folder / "zookeeper"),
        "hbase.cluster.distributed": "false",
        # The default local file system drops hsync, and acknowledged rows with it when the master is killed.
        "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
        "hbase.wal.provider": "filesystem",
        "hbase.unsafe.stream.capability.enforce": "false",
    }


def _listeners(settings: Settings) -> dict[str, str]:
    hosts = ("hbase.master.hostname", "hbase.regionserver.hostname", "hbase.zookeeper.quorum")
    addresses = (
        "hbase.master.ipc.address",
        "hbase.regionserver.ipc.address",
        "hbase.zookeeper.property.clientPortAddress",
    )
    pages = ("hbase.master.info.port", "hbase.regionserver.info.port", "hbase.thrift.info.port")
    return {
        **dict.fromkeys((*hosts, *addresses), LOOPBACK),
        **dict.fromkeys(pages, "-1"),
        "hbase.zookeeper.property.clientPort": str(settings.hbase_zookeeper_port),
        "hbase.master.port": str(settings.hbase_master_port),
        "hbase.regionserver.port": str(settings.hbase_regionserver_port),
    }


def _sizes() -> dict[str, str]:
    return {
        # Short enough for a quick start after a crash, long enough for a machine whose cores Spark has taken.
        "zookeeper.session.timeout.localHBaseCluster": "20000",
        "zookeeper.session.timeout": "20000",
        # Its own ZooKeeper ends first; retrying to leave it politely only makes the stop half a minute longer.
        "zookeeper.recovery.retry": "1",
        "zookeeper.recovery.retry.intervalmill": "500",
        "hbase.regionserver.handler.count": "10",
        "hbase.regionserver.global.memstore.size": "0.35",
        "hfile.block.cache.size": "0.2",
    }


def _folder(settings: Settings) -> Path:
    return settings.data / "hbase"


def _configuration(settings: Settings) -> Path:
    return _folder(settings) / "conf"


def _start_once(settings: Settings) -> None:
    if process.running(master(settings)) is None:
        _start_master(settings)
    arguments = ("start", "-p", str(settings.hbase_port), "--bind", LOOPBACK)
    process.start(
        thrift(settings), _java(settings, _THRIFT_HEAP, "org.apache.hadoop.hbase.thrift.ThriftServer", *arguments)
    )
    process.wait_ready(thrift(settings), lambda: ready(settings), timeout_seconds=START_SECONDS)


def _start_master(settings: Settings) -> None:
    process.stop(master(settings), STOP_SECONDS)
    require_free(settings, "hbase", "hbase_zookeeper_port", "hbase_master_port", "hbase_regionserver_port")
    process.start(master(settings), _java(settings, _MASTER_HEAP, "org.apache.hadoop.hbase.master.HMaster", "start"))
    process.wait_ready(master(settings), lambda: answers(settings.hbase_master_port), timeout_seconds=START_SECONDS)


def _java(settings: Settings, heap: tuple[str, ...], main: str, *arguments: str) -> list[str]:
    jars = (str(jar) for jar in jar_paths(settings, "hbase"))
    classes = ":".join([str(_configuration(settings)), *jars])
    return [java_command(), *heap, *_JVM, "-cp", classes, main, *arguments]
