"""Measures of what becomes of science alerts: sent by 2, 20 and 100 filters, and archived in all HBase tables.

The platform's own stages, from the start of their query until the lake remembers every alert; tables and topics are
made before the clock starts, as they are there before a night begins. What the rows cost without us is ``puts``.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from bench.hbase import rows_of
from bench.puts import hbase_put
from bench.queries import is_drained, run_until
from bench.stored import nothing_done_yet
from bench.task import Outcome, must_be_all
from fink_dagster.filters.filter import Filter
from fink_dagster.hbase.connection import connect
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.user_topics import ensure_user_topics
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.distribution import Distribution, active_filters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from bench.task import Task
    from fink_dagster.surveys.base import Survey

PART = 100
"""A filter made for the benchmark passes one of so many alerts, as a user's does who looks for something rare."""


def distribution(task: Task) -> Outcome:
    """Send the alerts with 20 filters."""
    return _distributed(task, "distribution", 20)


def distribution_2(task: Task) -> Outcome:
    """Send the alerts with two filters."""
    return _distributed(task, "distribution_2", 2)


def distribution_100(task: Task) -> Outcome:
    """Send the alerts with 100 filters."""
    return _distributed(task, "distribution_100", 100)


def archive(task: Task) -> Outcome:
    """Put the rows of the alerts into every table."""
    with nothing_done_yet(task) as context:
        stage = Archive(context)
        stage.prepare()
        seconds = run_until(context, stage, is_drained(context, stage))
        with closing(connect(*task.settings.hbase)) as connection:
            stored = rows_of(connection, stage.tables[0].name, whole=False)
        must_be_all("archive", task.number, len(stored))
    return Outcome(task.number, seconds, {"alerts": task.number, "tables": len(stage.tables)})


OF_ALERTS: dict[str, Callable[[Task], Outcome]] = {
    measure.__name__: measure for measure in (distribution_2, distribution, distribution_100, archive, hbase_put)
}
"""In the order in which each round takes them."""


def filters_to_send_with(number: int, active: Sequence[Filter], survey: Survey) -> list[Filter]:
    """Return so many filters: those that are active, as far as they go, and then some made for the benchmark.

    Parameters
    ----------
    number : int
        How many.
    active : sequence of Filter
        The platform's.
    survey : Survey
        By whose identifier the others choose alerts: each another 1 %.
    """
    made = (_made(place, survey) for place in range(number - len(active)))
    return [*active[:number], *made]


def _distributed(task: Task, measure: str, number: int) -> Outcome:
    with nothing_done_yet(task) as context:
        survey, lake = context.survey, context.lake
        stage = Distribution(context, filters_to_send_with(number, active_filters(lake.reader, survey), survey))
        topics = [item.topic(survey.name) for item in stage.filters]
        ensure_user_topics(task.settings, [stage.count_topic, *topics])
        seconds = run_until(context, stage, is_drained(context, stage))
        counted = sum(1 for _ in read_all(distribution_client(task.settings), stage.count_topic))
        must_be_all(measure, task.number, counted)
        sent = lake.reader.count_night("distributed", task.night.key)
    about = {"alerts": task.number, "filters": number, "messages_per_alert": round(sent / task.number, 3)}
    return Outcome(task.number, seconds, about)


def _made(place: int, survey: Survey) -> Filter:
    return Filter(
        name=f"bench_{place}",
        inputs=(survey.identifier,),
        predicate=partial(_is_of_part, place % PART),
        description="Alerts chosen by their identifier alone",
        owner="the benchmark",
        version="1",
    )


def _is_of_part(part: int, identifier: pd.Series) -> pd.Series:
    return identifier % PART == part
