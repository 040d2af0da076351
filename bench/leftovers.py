"""What a round leaves behind under its name, and its removal, so that the next one finds the machine as it did."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from bench.hbase import drop_tables
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.topics import all_topics, remove_topic
from fink_dagster.stages.distribution import count_topic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fink_dagster.lake.lake import Lake
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night


def drop_from_lake(lake: Lake, tables: Iterable[str]) -> None:
    """Drop tables of the lake with their files."""
    for table in tables:
        lake.spark.sql(f"DROP TABLE IF EXISTS {lake.name(table)} PURGE")


def remove_outputs(settings: Settings, name: str, night: Night) -> None:
    """Remove checkpoints, user topics and HBase tables of a round.

    Parameters
    ----------
    settings : Settings
        Of the running servers.
    name : str
        The survey's in that round.
    night : Night
        The round's.
    """
    shutil.rmtree(settings.data / "checkpoints" / name, ignore_errors=True)
    config = distribution_client(settings)
    for topic in topics_of(all_topics(config), name, night):
        remove_topic(config, topic)
    drop_tables(settings, name)


def topics_of(topics: Iterable[str], name: str, night: Night) -> list[str]:
    """Return those topics that a survey's night is sent to: one per filter, the count topic and the markers beside."""
    counted = count_topic(name, night.compact)
    return [topic for topic in topics if topic.endswith(f"_{name}") or topic.startswith(counted)]
