"""The long-running streams of a night, as the resource that backs the stage assets.

It starts them, keeps the run's own fence, and stops them when the run ends, however it ends. What is observed and
materialized is the assets' affair.
"""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from fink_dagster.accounts.flow import Flow
from fink_dagster.errors import TransientError
from fink_dagster.lake.quarantine import Selection
from fink_dagster.settings import load_settings
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night, Survey
from resources.spark import SparkResource

POLL_SECONDS = 1.0
FENCE_SECONDS = 5.0
"""A run that Dagster has given up must not go on writing; it looks this often, well within the lease's patience."""
_GIVEN_UP = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE)


class StreamsResource(dg.ConfigurableResource):
    """The streams of one night, in the run's own Spark application."""

    spark: dg.ResourceDependency[SparkResource]

    @contextmanager
    def streaming(
        self, survey: Survey, night: Night, run: str, redrive: Selection | None = None
    ) -> Iterator[NightStreams]:
        """Re-drive what is selected, start the four queries of a night, and stop them at the end."""
        streams = NightStreams(self.spark.spark_session, load_settings(), survey, night, run)
        try:
            streams.start(redrive)
            yield streams
        finally:
            streams.stop()


def flows(streams: NightStreams, context: dg.AssetExecutionContext) -> Iterator[Flow]:
    """Yield how far the night has got, about once a second, until this run is given up.

    Raises
    ------
    dagster.Failure
        When Dagster has given up this run.
    """
    fenced_at = time.monotonic()
    while True:
        try:
            streams.poll()
            yield streams.flow()
        except TransientError as error:
            context.log.warning(str(error))
        if time.monotonic() - fenced_at > FENCE_SECONDS:
            fenced_at = time.monotonic()
            _fence(context)
        time.sleep(POLL_SECONDS)


def _fence(context: dg.AssetExecutionContext) -> None:
    run = context.instance.get_run_by_id(context.run_id)
    if run is None or run.status in _GIVEN_UP:
        message = (
            f"run {context.run_id}: must be a run that goes on; Dagster calls it {run.status.value if run else 'gone'}"
        )
        raise dg.Failure(message, allow_retries=False)
