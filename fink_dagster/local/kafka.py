"""The embedded Kafka broker: configured, started, probed, stopped.

One node that is broker and controller, on loopback, with its data in the data folder. How it asks for users is
``kafka_security``; topics, producing and consuming belong to ``fink_dagster.kafka``.
"""

from __future__ import annotations

import secrets
import subprocess
import uuid
from base64 import urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import client_config
from fink_dagster.local import kafka_security, process
from fink_dagster.local.jars import jar_paths
from fink_dagster.local.java import java_command
from fink_dagster.local.ports import answers, require_free
from fink_dagster.local.process import Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fink_dagster.settings import Settings

START_SECONDS = 60.0  # 6 s on an idle machine, 9 s after a crash
STOP_SECONDS = 30.0  # a clean stop spares the next start the recovery of every segment
_ASK_SECONDS = 5.0

# The serial collector holds a fifth less memory than the default one at this heap.
_JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={protocol}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={protocol}://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name={protocol}
listener.security.protocol.map={protocol}:{protocol},CONTROLLER:{protocol}
log.dirs={logs}

# A topic is made on purpose: one made by a misspelt consumer would look like a cloudy night.
auto.create.topics.enable=false
# A night stays replayable; topics of a test or a trial leave with their folder.
log.retention.ms=-1
# Messages longer than the platform takes must arrive, to be put in quarantine.
message.max.bytes=10485760
replica.fetch.max.bytes=10485760

# One broker cannot replicate, and the default of 50 internal partitions each only slows the first use.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After a crash the controller, just as new, waits this long for the broker it remembers before it takes the new one.
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
# Allocated at start whatever the load; the default takes a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
"""

_LOGGING = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=info
"""


def server(settings: Settings) -> Server:
    """Return the broker's process, running or not."""
    return Server("kafka", settings)


def start(settings: Settings) -> None:
    """Have the embedded broker running and answering; a healthy one is kept, one of other users or none is not.

    Raises
    ------
    UserError
        When it is to be secured in a way it cannot.
    OperationError
        When a port is taken, the jars are absent, or the broker does not answer after two attempts.
    """
    kafka_security.must_be_possible(settings)
    if process.running(server(settings)) and ready(settings):
        return
    process.stop(server(settings), STOP_SECONDS)
    require_free(settings, "kafka", "kafka_port", "kafka_controller_port")
    properties = write_configuration(settings)
    _format(settings, properties)
    try:
        _start_once(settings, properties)
    except OperationError:  # on a loaded machine the first quorum can fail to form
        process.stop(server(settings), STOP_SECONDS)
        _start_once(settings, properties)


def stop(settings: Settings) -> None:
    """Stop the embedded broker cleanly, if it runs."""
    process.stop(server(settings), STOP_SECONDS)


def ready(settings: Settings) -> bool:
    """Return whether the embedded broker, and not a stranger on its port, answers the platform."""
    if not answers(settings.kafka_port):
        return False
    config = client_config(settings.embedded_kafka, settings.embedded_kafka_address)
    return ask_cluster_id(config) == _cluster_id(settings)


def ask_cluster_id(config: Mapping[str, str]) -> str | None:
    """Return the identity of a cluster, or None when it does not tell its topics and itself."""
    admin = AdminClient(dict(config))
    try:
        admin.list_topics(timeout=_ASK_SECONDS)
        cluster = admin.describe_cluster(request_timeout=_ASK_SECONDS).result(_ASK_SECONDS)
    except (KafkaException, TimeoutError):
        return None
    return str(cluster.cluster_id)


def write_configuration(settings: Settings) -> Path:
    """Write the broker's configuration files and return the main one."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # its log of metadata holds what passwords are checked against
    (folder / "log4j2.properties").write_text(_LOGGING)
    properties = folder / "server.properties"
    ports = {"port": settings.kafka_port, "controller_port": settings.kafka_controller_port}
    secured = settings.embedded_kafka_is_secured
    protocol = kafka_security.PROTOCOL if secured else "PLAINTEXT"
    text = _PROPERTIES.format(logs=folder / "logs", protocol=protocol, **ports)
    properties.write_text(text + (kafka_security.properties(settings) if secured else ""))
    return properties


def _folder(settings: Settings) -> Path:
    return settings.data / "kafka"


def _start_once(settings: Settings, properties: Path) -> None:
    broker, command = server(settings), _java(settings, "kafka.Kafka", str(properties))
    if settings.embedded_kafka_is_secured:
        password = secrets.token_urlsafe(32)
        process.start(broker, command, variables=kafka_security.broker_login(password))
        admitted = partial(kafka_security.admit_platform, settings, password)
        process.wait_ready(broker, admitted, timeout_seconds=START_SECONDS)
    else:
        process.start(broker, command)
    process.wait_ready(broker, lambda: ready(settings), timeout_seconds=START_SECONDS)


def _format(settings: Settings, properties: Path) -> None:
    """Give the data folder its identity, once; a formatting cut short is done again."""
    if _cluster_id(settings):
        return
    identity = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    arguments = ("format", "--ignore-formatted", f"--cluster-id={identity}", "--config", str(properties))
    command = _java(settings, "kafka.tools.StorageTool", *arguments)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        message = f"kafka: its data folder must be formatted; got {said}; remove {_folder(settings)} if empty"
        raise OperationError(message)


def _cluster_id(settings: Settings) -> str | None:
    meta = _folder(settings) / "logs" / "meta.properties"
    lines = meta.read_text().splitlines() if meta.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)


def _java(settings: Settings, main: str, *arguments: str) -> list[str]:
    jars = ":".join(str(jar) for jar in jar_paths(settings, "kafka"))
    logging = f"-Dlog4j2.configurationFile={_folder(settings) / 'log4j2.properties'}"
    return [java_command(), *_JVM, logging, "-cp", jars, main, *arguments]
