"""Topics users read from, made with the partitions, copies and retention that are set.

What such a topic is called is the filter's and the stage's affair, who may read it is ``access``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from fink_dagster.kafka.clients import ANSWER_SECONDS, answering, distribution_client
from fink_dagster.kafka.topics import BROKERS_OWN, ensure_topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fink_dagster.settings import Settings

DAY_MS = 86_400_000


def ensure_user_topics(settings: Settings, names: Iterable[str]) -> None:
    """Have topics for users, as the settings want them.

    A topic that exists keeps the partitions it has, fewer or more: consumers hold on to their number. Its retention
    becomes the one that is set.

    Parameters
    ----------
    settings : Settings
        Say which Kafka, how many partitions, and for how long a message is kept.
    names : iterable of str
        The topics.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses, for example more copies than there are brokers.
    """
    config, retention_ms = distribution_client(settings), round(settings.topic_retention_days * DAY_MS)
    copies = settings.topic_replication or BROKERS_OWN
    topics = list(names)
    for name in topics:
        ensure_topic(config, name, settings.topic_partitions, retention_ms=retention_ms, replication=copies)
    if topics:
        _retain(config, topics, str(retention_ms))


def _retain(config: Mapping[str, str], names: list[str], retention_ms: str) -> None:
    admin = AdminClient(dict(config))
    with answering(config, "how long user topics keep their messages"):
        asked = admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, name) for name in names], request_timeout=ANSWER_SECONDS
        )
        kept = {resource.name: future.result()["retention.ms"].value for resource, future in asked.items()}
        other = [_retention(name, retention_ms) for name in names if kept[name] != retention_ms]
        if other:
            for future in admin.incremental_alter_configs(other, request_timeout=ANSWER_SECONDS).values():
                future.result()


def _retention(name: str, retention_ms: str) -> ConfigResource:
    entry = ConfigEntry("retention.ms", retention_ms, incremental_operation=AlterConfigOpType.SET)
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
