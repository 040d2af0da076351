"""Past nights for whoever asks: what is meant by an order, that it can be had, and the alerts it names.

Arguments and printing are the command's; alerts are judged, packed and sent in ``stages.transfer``.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.accounts.nights import must_be_closed, nights_between
from fink_dagster.errors import UserError
from fink_dagster.filters.registry import get_filter
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.transfers import must_be_new, transfer_topic
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.reading import LakeReader
from fink_dagster.stages.contents import paths_of, schema_of
from fink_dagster.stages.judgement import absent_inputs
from fink_dagster.stages.transfer import TABLE, chosen, science_alerts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.filters.filter import Filter
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey


@dataclass(frozen=True)
class Order:
    """What somebody wants sent.

    Parameters
    ----------
    nights : list of Night
        Which, all closed.
    filter : Filter, optional
        Alerts that do not pass it stay here.
    paths : list of str
        Columns of science_alerts, dotted into records.
    topic : str
        Where to.
    """

    nights: list[Night]
    filter: Filter | None
    paths: list[str]
    topic: str


def ordered(
    settings: Settings, survey: Survey, nights: str, name: str | None, columns: str, identity: str | None
) -> Order:
    """Return what is meant by the words of an order; whatever is wrong with them is said before Spark is started.

    Parameters
    ----------
    settings : Settings
        Where the lake and Kafka are.
    survey : Survey
        Whose alerts.
    nights : str
        ``A..B``, or one night.
    name : str, optional
        A filter.
    columns : str
        A content or columns, as :func:`~fink_dagster.stages.contents.paths_of` reads them.
    identity : str, optional
        Last part of the topic's name; without it, six digits by chance.

    Raises
    ------
    UserError
        When there are no such nights, no such filter for these alerts, or no such columns, or the name cannot be or is
        taken.
    TransientError
        When Kafka is away.
    OperationError
        When one of the nights is not closed.
    """
    today = dt.datetime.now(dt.UTC).date().isoformat()
    topic = transfer_topic(survey.name, today, f"{secrets.randbelow(10**6):06}" if identity is None else identity)
    item = None if name is None else get_filter(name)
    absent = absent_inputs(item, survey) if item else []
    if absent:
        message = f"filter {name}: must find its inputs in alerts of {survey.name}; {absent[0]!r} is none; name another"
        raise UserError(message)
    which, table = nights_between(settings, survey, nights), LakeReader(settings, survey.name).table(TABLE)
    assert table is not None
    paths = paths_of(schema_of(table), columns, (survey.object_identifier, survey.identifier))
    must_be_new(distribution_client(settings), topic)
    return Order(which, item, paths, topic)


def choose(spark: SparkSession, settings: Settings, survey: Survey, order: Order) -> tuple[DataFrame, int]:
    """Return the alerts that were ordered, as they are now, and how many they are.

    Raises
    ------
    OperationError
        When a night has been opened, the filter fails, or nothing passes it.
    """
    lake = Lake(spark, settings, survey)
    rows = science_alerts(lake, order.nights)
    for night in order.nights:  # what was read is of closed nights only where they still are
        must_be_closed(lake.reader, survey, night)
    return chosen(rows, order.filter)
