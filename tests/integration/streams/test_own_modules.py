"""A science module of one's own through whole nights: there, refused, changed, and gone again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from fink_dagster.accounts.closing import close_night
from fink_dagster.lake.lake import Lake
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import open_source
from fink_dagster.science import registry, switches
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night
from tests.integration.streams.test_night import produce
from tests.own_modules import write
from tests.toy import ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import Row, SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

NIGHT = Night("2018-08-19")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_module_of_ones_own_comes_breaks_and_goes_and_every_night_closes(
    closed: Callable[..., Account], spark: SparkSession, settings: Settings, sample_tarball: Path, own_modules: Path
) -> None:
    survey = ztf_named("own_modules")
    replay(settings, survey, open_source(sample_tarball))
    write(own_modules, "twice")
    write(own_modules, "kind")
    write(own_modules, "bad", inputs="('nothing',)")
    registry.reload()
    account = closed(NIGHT, survey)
    assert account.closes, account.why_open
    assert account.archived == {"own_modules": 20}
    rows = _rows(spark, settings, survey)
    assert [row.twice == 2 * row.magpsf for row in rows] == [True] * 20
    assert rows[0].science_versions["twice"] == "1"
    assert rows[0].science_status.get("twice") is None

    (own_modules / "twice.py").write_text("import nothing_of_that_name")
    write(own_modules, "kind", outputs="(Output('kind', 'string', '', '.'),)")
    troubles = _again(spark, settings, survey)
    assert "must load" in troubles[f"science module twice ({own_modules / 'twice.py'})"]
    assert "which the table science_alerts has; got string" in troubles["science module kind"]
    rows = _rows(spark, settings, survey)
    assert [(row.twice, row.kind) for row in rows] == [(None, None)] * 20
    assert {"twice", "kind", "roid"} & set(rows[0].science_versions) == {"roid"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_one_module_hangs_and_is_switched_off_another_ends_its_process_and_the_night_closes(
    spark: SparkSession,
    settings: Settings,
    packets: list[bytes],
    own_modules: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine may take longer for a batch than the first pause is.
    monkeypatch.setattr(switches, "FIRST_PAUSE_SECONDS", 3600.0)
    survey, topic = ztf_named("harm"), "harm_ztf_20180819_programid1"
    survey.topics = lambda night: [topic]  # type: ignore[method-assign]
    write(own_modules, "hangs", function="lambda magnitude: __import__('time').sleep(1000)", limits="Limits(seconds=1)")
    write(own_modules, "ends", function="lambda magnitude: __import__('os')._exit(3)")
    registry.reload()
    streams, troubles = NightStreams(spark, settings, survey, NIGHT, "test"), {}
    produce(settings, topic, [])
    streams.start()
    try:
        for wave in range(switches.BATCHES_ALLOWED + 1):
            produce(settings, topic, packets[wave * 7 : (wave + 1) * 7])
            _until_drained(streams)
            troubles = streams.failures()
    finally:
        streams.stop()
    account = close_night(streams.lake, settings, NIGHT, "test")
    assert account.closes, account.why_open
    assert streams.queries == {}
    assert "switched off, as it failed in 3 batches in a row" in troubles["science module hangs"]
    assert troubles["science module ends"].endswith("its process ended with exit code 3")
    rows = Lake(spark, settings, survey).read("science_alerts").selectExpr("roid", "hangs", "ends", "science_status")
    said = [(row.roid is None, row.hangs, row.ends, dict(row.science_status)) for row in rows.collect()]
    codes = {(status["hangs"], status["ends"]) for _, _, _, status in said}
    assert codes == {("timeout", "crashed"), ("switched_off", "crashed")}  # a crash costs little; so few are no reason
    assert {(no_roid, hangs, ends) for no_roid, hangs, ends, _ in said} == {(False, None, None)}


def _until_drained(streams: NightStreams) -> None:
    deadline = time.monotonic() + 300
    while not streams.flow().drained:
        streams.poll()
        assert time.monotonic() < deadline, (streams.flow(), streams.failures())
        time.sleep(0.5)


def _again(spark: SparkSession, settings: Settings, survey: Survey) -> dict[str, str]:
    """Take the night's science alerts away, stream them anew, and return what is complained of."""
    lake = Lake(spark, settings, survey)
    for table in ("science_alerts", "rejected"):
        spark.sql(f"DELETE FROM {lake.name(table)}")
    shutil.rmtree(settings.checkpoints(survey.name, NIGHT.key) / "raw2science")
    registry.reload()
    streams = NightStreams(spark, settings, survey, NIGHT, "test")
    deadline = time.monotonic() + 200
    streams.start()
    try:
        while lake.reader.count_night("science_alerts", NIGHT.key) < 20:
            streams.poll()
            assert time.monotonic() < deadline, streams.failures()
            time.sleep(0.5)
        return streams.failures()
    finally:
        streams.stop()


def _rows(spark: SparkSession, settings: Settings, survey: Survey) -> list[Row]:
    table = Lake(spark, settings, survey).read("science_alerts")
    return table.select("twice", "kind", "candidate.magpsf", "science_versions", "science_status").collect()
