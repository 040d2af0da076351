"""The four queries of a night in one Spark application: started together, watched, and known to be drained or not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fink_dagster.accounts.flow import Flow, flow_of
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.topics import existing_topics, offsets
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.quarantine import Selection, by_code, coordinate_of, followed, stored
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.distribution import Distribution, active_filters
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.redrive import redrive
from fink_dagster.stages.stage import NightContext
from fink_dagster.stages.statistics import put_statistics
from fink_dagster.stages.stream2raw import SchemaWidened, Stream2Raw
from fink_dagster.stages.writers import KnownWriters
from fink_dagster.streams.lease import NightLease
from fink_dagster.streams.query import STOP_SECONDS, StageQuery

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fink_dagster.filters.filter import Filter
    from fink_dagster.lake.quarantine import Place
    from fink_dagster.settings import Settings
    from fink_dagster.streams.query import Rate
    from fink_dagster.surveys.base import Night, Survey


class NightStreams:
    """A night being streamed.

    Parameters
    ----------
    spark : SparkSession
        The application all four queries share.
    settings : Settings
        Addresses, folders, batch sizes.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    run : str
        Who streams it, for the lease and for the record.

    Attributes
    ----------
    filters : list of Filter
        Those that were active when the night's run began; it keeps them.
    refused : dict
        Of the messages that were to be re-driven, those that still are no alert: code -> how many.
    """

    def __init__(self, spark: SparkSession, settings: Settings, survey: Survey, night: Night, run: str) -> None:
        self.spark = spark
        self.settings = settings
        self.survey = survey
        self.night = night
        self._folder = settings.checkpoints(survey.name, night.key)
        self._run = run
        self._lease = NightLease(self._folder, run)
        self._redriven: set[Place] = set()
        self.lake = Lake(spark, settings, survey)
        self.queries: dict[str, StageQuery] = {}
        self.filters: list[Filter] = []
        self.refused: dict[str, int] = {}

    def start(self, selection: Selection | None = None) -> None:
        """Take the night's lease, make the tables, re-drive what is selected, start the queries.

        Parameters
        ----------
        selection : Selection, optional
            Which of the night's quarantined messages to re-drive; None: none of them.

        Raises
        ------
        OperationError
            When another run streams this night.
        """
        self._lease.acquire(int(self.spark._jvm.java.lang.ProcessHandle.current().pid()))
        self.lake.create(KnownWriters(self.lake, self.survey).reader)
        self.filters = active_filters(self.lake.reader, self.survey)
        if selection is not None:
            self._redrive(selection)
        # Nobody but this run could re-drive more of them, and it does so no more.
        rows = followed(self.lake.reader, Selection(self.night.key))
        self._redriven = {coordinate_of(row) for row in rows if row["redriven_to"] is not None}
        self._start_queries()

    def poll(self) -> None:
        """Look after every query; start all anew when a writer has sent fields the tables did not have.

        Raises
        ------
        OperationError
            When a query fails for a reason a restart does not cure.
        """
        self._start_stream2raw_when_there_is_a_topic()
        ended = [query.poll() for query in list(self.queries.values())]
        if any(isinstance(error, SchemaWidened) for error in ended):
            self._stop_queries()
            self._start_queries()

    def flow(self) -> Flow:
        """Return what has gone through each stage so far, by what is stored."""
        query = self.queries.get(Stream2Raw.name)
        committed = query.checkpoint.committed() if query and query.checkpoint else {}
        ends = {topic: self._ends(topic) for topic in self.topics()}
        waiting = sum(max(0, end - committed.get(t, {}).get(p, 0)) for t, of in ends.items() for p, end in of.items())
        return flow_of(self.lake.reader, self.survey, self.night, waiting, len(self._redriven))

    def quarantined(self) -> dict[str, int]:
        """Return how many messages of the night count as quarantined, by code."""
        rows = stored(self.lake.reader, Selection(self.night.key), "code")
        return by_code(row for row in rows if coordinate_of(row) not in self._redriven)

    def topics(self) -> list[str]:
        """Return the night's topics that exist."""
        return sorted(existing_topics(survey_client(self.settings), self.survey.topics(self.night)))

    def rates(self) -> dict[str, Rate]:
        """Return the speed of each stage."""
        return {name: query.rate() for name, query in self.queries.items()}

    def measures(self) -> dict[str, dict[str, int]]:
        """Return, by stage, the numbers an operator watches beside those of the rows."""
        return {name: query.stage.measures for name, query in self.queries.items()}

    def failures(self) -> dict[str, str]:
        """Return what is wrong: stages waiting to be restarted, filters that are silent, and why."""
        waiting = {name: query.failure for name, query in self.queries.items() if query.failure}
        return {
            **waiting,
            **{what: why for query in self.queries.values() for what, why in query.stage.troubles.items()},
        }

    def finish(self) -> None:
        """Stop the queries of a night that is drained and say what it came to; the lease is kept until it is closed.

        Raises
        ------
        TransientError
            When HBase is away; the night is finished by its next run.
        """
        self._stop_queries()
        put_statistics(self._context())

    def stop(self) -> None:
        """Stop the queries that still run, and give the lease back."""
        try:
            self._stop_queries()
        finally:
            self._lease.release()

    def _context(self) -> NightContext:
        return NightContext(self.spark, self.settings, self.survey, self.night, self.lake, self._run)

    def _redrive(self, selection: Selection) -> None:
        # In a thread, so that a run that is canceled lets it finish, as it lets a batch: what Spark has begun to commit
        # cannot be called back, and the next run must not look before it is there.
        with ThreadPoolExecutor(1) as pool:
            self.refused = pool.submit(redrive, self._context(), selection).result()

    def _start_queries(self) -> None:
        self._start_stream2raw_when_there_is_a_topic()
        distribution = Distribution(self._context(), self.filters)
        for stage in (Raw2Science(self._context()), distribution, Archive(self._context())):
            self._start(StageQuery(stage, self._folder / stage.name, self.settings.trigger_seconds))

    def _start_stream2raw_when_there_is_a_topic(self) -> None:
        if Stream2Raw.name not in self.queries and self.topics():
            stage = Stream2Raw(self._context())
            self._start(StageQuery(stage, self._folder / stage.name, self.settings.trigger_seconds))

    def _start(self, query: StageQuery) -> None:
        self.queries[query.stage.name] = query
        query.start()

    def _stop_queries(self) -> None:
        queries, self.queries = self.queries, {}
        # One deadline for all: stopped one after the other they would outlast Dagster's patience with a cancelled run.
        deadline = time.monotonic() + STOP_SECONDS
        for query in queries.values():
            query.stop(deadline)

    def _ends(self, topic: str) -> dict[int, int]:
        return {partition: end for partition, (_, end) in offsets(survey_client(self.settings), topic).items()}
