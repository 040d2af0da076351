"""The distribution stage on a real broker and a real lake: killed at any moment, each alert is at its readers once."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.lake.lake import Lake
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.distribution import Distribution
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.stages.wire import schema_fingerprint
from fink_dagster.surveys.base import Night
from tests.integration.stages.conftest import MESSAGES, NIGHT, TOPIC
from tests.toy import ztf_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

STAGE_UNTIL = """
import sys, time
from fink_dagster.kafka import transactions
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.spark import session
from fink_dagster.settings import load_settings
from fink_dagster.stages.distribution import Distribution
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.surveys.base import Night
from tests.toy import ztf_named

moment, survey, night = sys.argv[1], ztf_named(sys.argv[2]), Night(sys.argv[3])

def stop_around(owner, name, at, concerns=lambda *_: True):
    original = getattr(owner, name)
    def stopping(*given, **named):
        if at == "after":
            original(*given, **named)
        if concerns(*given):
            print("here", flush=True)
            time.sleep(600)
        return None if at == "after" else original(*given, **named)
    setattr(owner, name, stopping)

if moment == "produced":
    stop_around(transactions, "_produce_all", "after")
elif moment == "marked":
    stop_around(transactions.TransactionalWriter, "_commit", "before")
elif moment == "committed":
    stop_around(Distribution, "_remember", "before", lambda _, sent: sent)
elif moment == "appended":
    stop_around(Lake, "append", "after", lambda _, table, *rest: table == "distributed")

settings = load_settings()
spark = session(settings, "killed")
lake = Lake(spark, settings, survey)
Distribution(NightContext(spark, settings, survey, night, lake)).process(lake.read("science_alerts"), Batch(0, "c"))
"""


@pytest.fixture
def night_of(spark: SparkSession, settings: Settings, packets: list[bytes]) -> Callable[[str], NightContext]:
    """Make a survey of a name with a night of science alerts that were not sent yet."""

    def make(name: str) -> NightContext:
        survey = ztf_named(name)
        lake = Lake(spark, settings, survey)
        lake.create()
        context = NightContext(spark, settings, survey, NIGHT, lake)
        now = dt.datetime.now(dt.UTC)
        rows = [(TOPIC, 0, place, now, [], bytearray(packet)) for place, packet in enumerate(packets)]
        Stream2Raw(context).process(spark.createDataFrame(rows, MESSAGES), Batch(0, "raw"))
        Raw2Science(context).process(lake.read("raw_alerts"), Batch(0, "science"))
        return context

    return make


def _received(context: NightContext, stage: Distribution) -> Counter[tuple[str, int]]:
    """Return how often a reader of committed messages sees each (topic, identifier) of the survey."""
    topics = [stage.count_topic, *(item.topic(context.survey.name) for item in stage.filters)]
    config = distribution_client(context.settings)
    messages = (message for topic in topics for message in read_all(config, topic))
    return Counter((str(message.topic()), int(dict(message.headers() or [])["candid"])) for message in messages)


def _remembered(context: NightContext) -> Counter[tuple[str, int]]:
    rows = context.lake.reader.rows("distributed", ("topic", "candid"))
    return Counter((row["topic"], row["candid"]) for row in rows.to_pylist()) if rows else Counter()


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["produced", "marked", "committed", "appended"])
def test_each_alert_is_at_its_readers_once_when_the_stage_is_killed(
    night_of: Callable[[str], NightContext], moment: str
) -> None:
    context = night_of(f"killed_when_{moment}")
    _kill_when(context, moment)
    assert bool(_remembered(context)) is (moment == "appended")
    stage = Distribution(context)
    for number in range(2):
        stage.process(context.lake.read("science_alerts"), Batch(number, "another checkpoint"))
    stage.close()
    received, remembered = _received(context, stage), _remembered(context)
    assert set(received.values()) == {1}
    assert received == remembered
    science = {row["candid"] for row in context.lake.reader.rows("science_alerts", ("candid",)).to_pylist()}
    assert {candid for topic, candid in received if topic == stage.count_topic} == science


def _kill_when(context: NightContext, moment: str) -> None:
    """Run the stage in a process of its own, and kill that with all it started when it reaches a moment."""
    environment = context.settings.environment() | {"PYTHONPATH": str(CHECKOUT)}
    arguments = [moment, context.survey.name, context.night.key]
    with subprocess.Popen(
        [sys.executable, "-c", STAGE_UNTIL, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "here\n"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_last_night_goes_on_sending_while_tonight_sends(night_of: Callable[[str], NightContext]) -> None:
    context = night_of("two_nights")
    last, tonight = Distribution(context), Distribution(replace(context, night=Night("2018-08-20")))
    alerts = context.lake.read("science_alerts")
    candid = alerts.agg({"candid": "avg"}).first()[0]
    try:
        last.process(alerts.where(alerts.candid < candid), Batch(0, "last"))
        tonight.process(alerts, Batch(0, "tonight"))
        last.process(alerts, Batch(1, "last"))
    finally:
        last.close()
        tonight.close()
    config = distribution_client(context.settings)
    counted = {stage.count_topic: list(read_all(config, stage.count_topic)) for stage in (last, tonight)}
    assert [len(messages) for messages in counted.values()] == [alerts.count()] * 2
    assert list(counted) == ["fink_two_nights_20180819", "fink_two_nights_20180820"]


def test_a_message_says_which_alert_night_and_schema_it_is_of(night_of: Callable[[str], NightContext]) -> None:
    context = night_of("headers")
    stage = Distribution(context)
    stage.process(context.lake.read("science_alerts"), Batch(0, "c"))
    stage.close()
    config = distribution_client(context.settings)
    messages = list(read_all(config, stage.count_topic))
    assert messages
    for message in messages:
        headers = dict(message.headers() or [])
        assert list(headers) == ["candid", "night", "schema"]
        assert headers["night"] == b"2018-08-19"
        assert headers["schema"].decode() == schema_fingerprint((message.key() or b"").decode())
        assert json.loads(message.key() or b"")["name"] == "topLevelRecord"
