"""A real night whose archive can be filled again and again, in an HBase of its own that is killed and paused."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fink_dagster.accounts.closing import close_night
from fink_dagster.hbase.connection import connect
from fink_dagster.hbase.nights import count_rows
from fink_dagster.hbase.objects import places_table
from fink_dagster.lake.lake import Lake
from fink_dagster.local import hbase
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.stage import NightContext
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night
from tests.conftest import SHARED, packets_in, settings_in
from tests.integration.streams.conftest import produce
from tests.toy import ztf_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.hbase.tables import Table
    from fink_dagster.settings import Settings

TIMEOUT_SECONDS = 300.0
VERSIONS_KEPT = 5
"""Where the platform keeps one: a second version must not hide behind that."""


@dataclass(frozen=True)
class FaultyNight:
    """A night of a survey of its own.

    Parameters
    ----------
    context : NightContext
        The night; its Kafka and lake are the shared ones.
    servers : Settings
        Whose HBase it is archived in.
    """

    context: NightContext
    servers: Settings

    @property
    def tables(self) -> list[Table]:
        tables = tables_of(self.context.survey)
        return [*tables, *(places_table(table) for table in tables if table.newest_of_object)]

    @property
    def archived(self) -> int:
        """How many alerts the lake says HBase has."""
        return self.context.lake.reader.count_night("archived", self.context.night.key)

    def stream(self, meanwhile: Callable[[NightStreams], None]) -> Account:
        """Stream the night until it is drained, while something is done to it, and close it."""
        context = self.context
        streams = NightStreams(context.spark, context.settings, context.survey, context.night, "test")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with ThreadPoolExecutor(1) as pool:
            try:
                streams.start()
                done = pool.submit(meanwhile, streams)
                while not (done.done() and streams.flow().drained):
                    streams.poll()
                    assert time.monotonic() < deadline, (streams.flow(), streams.failures())
                    time.sleep(0.2)
                done.result()
            finally:
                streams.stop()
        return close_night(streams.lake, context.settings, context.night, "test")

    def wait_for_rows(self) -> None:
        """Return when HBase has some rows of the night, and the lake does not know yet that it has."""
        deadline = time.monotonic() + TIMEOUT_SECONDS / 2
        while not count_rows(self.context.settings.hbase, tables_of(self.context.survey)[0], self.context.night):
            assert time.monotonic() < deadline, "nothing is put"
            time.sleep(0.05)
        assert self.archived == 0, "all was put before anything could be done"

    def forget_archive(self) -> None:
        """Make the night one whose archive has not begun: empty tables, nothing remembered, no checkpoint."""
        context = self.context
        with ThreadPoolExecutor(len(self.tables)) as pool:
            list(pool.map(self._make_anew, self.tables))
        context.spark.sql(f"DELETE FROM {context.lake.name('archived')}")
        folder = context.settings.checkpoints(context.survey.name, context.night.key) / Archive.name
        shutil.rmtree(folder, ignore_errors=True)

    def _make_anew(self, table: Table) -> None:
        with closing(connect(*self.context.settings.hbase)) as connection:
            if table.name.encode() in connection.tables():
                connection.delete_table(table.name, disable=True)
            connection.create_table(table.name, {name: {"max_versions": VERSIONS_KEPT} for name in table.families})


@pytest.fixture(scope="module")
def night(
    spark: SparkSession, settings: Settings, sample_tarball: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultyNight]:
    """The alerts of a whole public night in Kafka, of the sample's where there is none; HBase is down."""
    whole = SHARED / "ztf_public_20181129.tar.gz"
    source, key = (whole, "2018-11-29") if whole.exists() else (sample_tarball, "2018-08-19")
    survey, topic = ztf_named("faulty", index_tables=True), f"faulty_{key}"
    survey.topics = lambda night: [topic] if night.key == key else []  # type: ignore[method-assign]
    produce(settings, topic, packets_in(source))
    servers = settings_in(tmp_path_factory.mktemp("faulty"))
    using = settings.model_copy(
        update={"hbase_address": f"127.0.0.1:{servers.hbase_port}", "max_offsets_per_trigger": 200}
    )
    yield FaultyNight(NightContext(spark, using, survey, Night(key), Lake(spark, using, survey)), servers)
    hbase.stop(servers)
    shutil.rmtree(servers.data, ignore_errors=True)
