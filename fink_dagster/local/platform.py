"""The platform as a whole: brought up, taken down, looked at.

In which order its servers start and stop, and what they hold. How each is started stands with each.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, TypedDict

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fink_dagster.kafka.clients import client_config
from fink_dagster.local import dagster, hbase, kafka, process
from fink_dagster.local.exclusion import alone
from fink_dagster.local.jar_lock import read_lock
from fink_dagster.local.progress import waiting

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.local.process import Server
    from fink_dagster.settings import KafkaCluster, Settings

Report = Callable[[str], object]
_ASK_SECONDS = 5.0
OPEN = "none"


class Service(TypedDict):
    """How one service of the platform is."""

    address: str
    version: str
    healthy: bool
    rss_mib: int
    security: str
    """How who asks must log in; of Kafka, who reads user topics."""


def up(settings: Settings, report: Report = print) -> None:
    """Have the whole platform running; what is healthy is kept, what is not is started anew.

    Two calls at once wait for one another. Dagster's daemon comes last, so that no run starts before its servers.

    Parameters
    ----------
    settings : Settings
        Says what is embedded, and on which ports.
    report : callable
        Receives one line per service.

    Raises
    ------
    OperationError
        When a service cannot be started; what was started stays.
    """
    starts = {"dagster": dagster.start_views, **_embedded_starts(settings)}
    with alone(_lock(settings)), waiting("starting"), ThreadPoolExecutor() as pool:
        started = {name: pool.submit(start, settings) for name, start in starts.items()}
        errors = [error for future in started.values() if (error := future.exception())]
        if errors:
            raise errors[0]
        dagster.start_daemon(settings)
    for name, service in services(settings).items():
        report(f"{name} {service['version']}: {service['address']}")


def start_servers(settings: Settings) -> None:
    """Have the embedded Kafka and HBase running, without Dagster: what tests and the benchmark need.

    Raises
    ------
    OperationError
        When one cannot be started.
    """
    with alone(_lock(settings)), ThreadPoolExecutor() as pool:
        for started in [pool.submit(start, settings) for start in _embedded_starts(settings).values()]:
            started.result()


def down(settings: Settings, report: Report = print) -> None:
    """Stop every process of the platform: first Dagster with its runs, then what they talk to."""
    with alone(_lock(settings)), waiting("stopping"):
        dagster.stop(settings)
        with ThreadPoolExecutor() as pool:
            for stopped in [pool.submit(stop, settings) for stop in (kafka.stop, hbase.stop)]:
                stopped.result()
    report("platform: stopped")


def is_up(settings: Settings) -> bool:
    """Return whether every service of the platform answers."""
    return all(service["healthy"] for service in services(settings).values())


def services(settings: Settings) -> dict[str, Service]:
    """Return how each service is, asked now.

    A service that is not ours is asked as well; its memory counts as 0, and its version is not known.
    """
    asks = {"kafka": _kafka, "hbase": _hbase, "dagster": _dagster}
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(ask, settings) for name, ask in asks.items()}
        return {name: future.result() for name, future in asked.items()}


def embeds_kafka(settings: Settings) -> bool:
    """Return whether a Kafka of ours stands in for at least one that is not set."""
    return not (settings.survey_kafka.address and settings.distribution_kafka.address)


def embeds_hbase(settings: Settings) -> bool:
    """Return whether the HBase in use is ours."""
    return settings.hbase_address is None


def kafka_security(settings: Settings) -> str:
    """Return how users log in to the Kafka they read from, or ``none`` where they need not."""
    ours = settings.distribution_kafka
    mechanism = f" {ours.sasl_mechanism}" if ours.security_protocol.startswith("SASL") else ""
    return OPEN if ours.security_protocol == "PLAINTEXT" else ours.security_protocol + mechanism


def embedded_version(artifact: str) -> str:
    """Return the version of an embedded server, by the name of its jar."""
    return next(jar.coordinate.version for jar in read_lock() if jar.coordinate.name == artifact)


def _embedded_starts(settings: Settings) -> dict[str, Callable[[Settings], None]]:
    starts: dict[str, Callable[[Settings], None]] = {}
    if embeds_kafka(settings):
        starts["kafka"] = kafka.start
    if embeds_hbase(settings):
        starts["hbase"] = hbase.start
    return starts


def _lock(settings: Settings) -> Path:
    return settings.data / "run" / "platform.lock"


def _kafka(settings: Settings) -> Service:
    external = [cluster for cluster in (settings.survey_kafka, settings.distribution_kafka) if cluster.address]
    healthy = all(_lists_topics(cluster) for cluster in external)
    security = kafka_security(settings)
    if not embeds_kafka(settings):
        address = settings.survey_kafka_address
        return Service(address=address, version="unknown", healthy=healthy, rss_mib=0, security=security)
    return Service(
        address=settings.embedded_kafka_address,
        version=embedded_version("kafka_2.13"),
        healthy=healthy and kafka.ready(settings),
        rss_mib=process.rss_mib(kafka.server(settings)),
        security=security,
    )


def _hbase(settings: Settings) -> Service:
    host, port = settings.hbase
    if not embeds_hbase(settings):
        healthy = hbase.answers_reads((host, port))
        return Service(address=f"{host}:{port}", version="unknown", healthy=healthy, rss_mib=0, security=OPEN)
    return Service(
        address=f"{host}:{port}",
        version=embedded_version("hbase-thrift"),
        healthy=hbase.ready(settings),
        rss_mib=_rss(hbase.master(settings), hbase.thrift(settings)),
        security=OPEN,
    )


def _dagster(settings: Settings) -> Service:
    return Service(
        address=f"http://127.0.0.1:{settings.dagster_port}",
        version=version("dagster"),
        healthy=dagster.ready(settings),
        rss_mib=_rss(*dagster.servers(settings)),
        security=OPEN,
    )


def _rss(*servers: Server) -> int:
    return sum(map(process.rss_mib, servers))


def _lists_topics(cluster: KafkaCluster) -> bool:
    try:
        AdminClient({**client_config(cluster, cluster.address or "")}).list_topics(timeout=_ASK_SECONDS)
    except KafkaException:
        return False
    return True
