"""A filter of one's own from its first trial to its last alert, as one types it, over runs of a real night."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fink_dagster.accounts.filters import behaviour_in
from fink_dagster.filters import registry
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.lake.lake import Lake
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.distribution import active_filters
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night
from tests.integration.streams.conftest import produce, stream_until_closed
from tests.own_filters import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.accounts.filters import Behaviour
    from fink_dagster.settings import Settings

    Typed = Callable[..., subprocess.CompletedProcess[str]]

NIGHT = Night("2018-08-19")
SURVEY = get_survey("ztf")
SOURCE = "ztf_20180819_programid1"
TOPIC = "fink_bright_ztf"


@pytest.fixture
def typed(settings: Settings, own_filters: Path) -> Typed:
    """``fink-dagster filters ...`` in a process of its own, on the lake of the tests."""
    environment = settings.model_copy(update={"filters": own_filters}).environment()
    # They need the lake alone, and are to show it.
    nowhere = {"FINK_KAFKA_PORT": "9", "FINK_HBASE_PORT": "9", "PYTHONPATH": str(CHECKOUT), "COLUMNS": "160"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fink_dagster.cli", "filters", *words]
        whole = {**os.environ, **environment, **nowhere}
        return subprocess.run(command, env=whole, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    return run


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_filter_is_tried_refused_activated_sends_what_comes_then_fails_and_is_silenced(
    spark: SparkSession, settings: Settings, packets: list[bytes], own_filters: Path, typed: Typed
) -> None:
    write(own_filters, "bright", predicate="lambda magnitude: magnitude < 19")
    write(own_filters, "raises", predicate="lambda magnitude: 1 / 0")
    registry.reload()
    first = _streamed(spark, settings, packets[:8])
    assert TOPIC not in first.distributed
    bright = _bright(spark, settings)
    assert 0 < len(bright) < first.science

    said = typed("try", "raises", "--nights", NIGHT.key)
    assert (said.returncode, f"failed: night {NIGHT}: ZeroDivisionError" in said.stdout) == (1, True), said.stderr
    _refused(typed("activate", "raises", "--limit", "1"), "raises", "must fail on no alert it is tried on")
    _refused(typed("activate", "bright"), "bright", "must have been tried on a night; got no trial")
    said = typed("try", "bright", "--nights", "2018-08-01..2018-08-31", "--json")
    assert said.returncode == 0, said.stderr
    (trial,) = json.loads(said.stdout)
    numbers = (trial["night"], trial["alerts"], trial["passed"], trial["failed"])
    assert numbers == (NIGHT.key, first.science, len(bright), 0)
    assert set(trial["examples"]) <= bright
    _refused(typed("activate", "bright"), "bright", "must pass at most 5.00% of the alerts")
    said = typed("activate", "bright", "--limit", "1")
    assert (said.returncode, "sends to fink_bright_ztf from the next run" in said.stdout) == (0, True), said.stderr

    # Alerts of before are not sent, though the filter would pass some of them.
    assert _streamed(spark, settings, []).as_books() == first.as_books()
    assert _sent(settings) == []
    second = _streamed(spark, settings, packets[8:16])
    since = _bright(spark, settings) - bright
    assert sorted(_sent(settings)) == sorted(since)
    assert second.distributed[TOPIC] == len(since) > 0
    found = _behaviour(spark, settings)
    assert (found.passed, found.alerts, found.share_limit, found.is_right) == (len(since), second.science, 1.0, True)

    # Its owner breaks it, and does not say that it is another version.
    write(own_filters, "bright", predicate="lambda magnitude: 1 / 0")
    registry.reload()
    third = _streamed(spark, settings, packets[16:24])
    found = _behaviour(spark, settings)
    assert (found.passed, found.failed, found.is_right) == (len(since), third.science - second.science, False)
    assert "ZeroDivisionError" in found.error

    assert typed("deactivate", "bright", "--why", "broken").returncode == 0
    write(own_filters, "bright", predicate="lambda magnitude: magnitude < 19")
    registry.reload()
    last = _streamed(spark, settings, packets[24:])
    assert (last.science, last.distributed[TOPIC], len(_sent(settings))) == (20, len(since), len(since))
    rows = {row["name"]: row for row in json.loads(typed("list", "--json").stdout)}
    assert (rows["bright"]["state"], rows["bright"]["why"]) == ("inactive", "broken")
    assert rows["bright"]["last_error"].startswith(f"night {NIGHT}: ")
    assert rows["raises"]["last_error"].startswith(f"tried on night {NIGHT}: ZeroDivisionError")


def _streamed(spark: SparkSession, settings: Settings, messages: list[bytes]) -> Account:
    """Run the night with what has come, until it is closed."""
    produce(settings, SOURCE, messages)
    account = stream_until_closed(spark, settings, SURVEY, NIGHT)
    assert account.closes, account.why_open
    return account


def _refused(said: subprocess.CompletedProcess[str], name: str, why: str) -> None:
    assert said.returncode == 1
    assert said.stderr.startswith(f"error: filter {name} (version 1): {why}"), said.stderr
    assert len(said.stderr.splitlines()) == 1


def _behaviour(spark: SparkSession, settings: Settings) -> Behaviour:
    reader = Lake(spark, settings, SURVEY).reader
    found = behaviour_in(reader, SURVEY, NIGHT.key, active_filters(reader, SURVEY))
    return next(one for one in found if one.filter == "bright")


def _bright(spark: SparkSession, settings: Settings) -> set[int]:
    rows = (
        Lake(spark, settings, SURVEY).read("science_alerts").where("candidate.magpsf < 19").select("candid").collect()
    )
    return {row.candid for row in rows}


def _sent(settings: Settings) -> list[int]:
    config = distribution_client(settings)
    messages = read_all(config, TOPIC) if existing_topics(config, [TOPIC]) else ()
    return [int(dict(message.headers())["candid"]) for message in messages]
