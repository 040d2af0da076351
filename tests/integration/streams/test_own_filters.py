"""Filters of one's own through a night: what they do to themselves, and that the night closes all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fink_dagster.accounts.closing import close_night
from fink_dagster.filters import registry
from fink_dagster.filters.activation import ACTIVE, Decision
from fink_dagster.lake.filters import failures_in, keep_decision
from fink_dagster.lake.lake import Lake
from fink_dagster.science import switches
from fink_dagster.stages.writers import KnownWriters
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night
from tests.integration.streams.test_night import produce
from tests.integration.streams.test_own_modules import _until_drained
from tests.own_filters import HEAD, declared, write
from tests.toy import ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

NIGHT = Night("2018-08-19")
HARM = {
    "hangs": {"predicate": "lambda magnitude: __import__('time').sleep(1000)", "limits": "Limits(seconds=1)"},
    "ends": {"predicate": "lambda magnitude: __import__('os')._exit(3)"},
    "raises": {"predicate": "lambda magnitude: 1 / 0"},
    "long": {"predicate": "lambda magnitude: [True] * 10000"},
}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_filters_that_hang_end_their_process_or_raise_are_silent_and_a_good_one_sends(
    spark: SparkSession,
    settings: Settings,
    packets: list[bytes],
    own_filters: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine may take longer for a batch than the first pause is.
    monkeypatch.setattr(switches, "FIRST_PAUSE_SECONDS", 3600.0)
    survey, topic = ztf_named("filt"), "filt_ztf_20180819_programid1"
    survey.topics = lambda night: [topic]  # type: ignore[method-assign]
    write(own_filters, "good")
    write(own_filters, "wrong", inputs="'candidate.magpsf'")
    (own_filters / "harm.py").write_text(
        f"{HEAD}FILTERS = [{', '.join(declared(name, **change) for name, change in HARM.items())}]\n"
    )
    registry.reload()
    lake = Lake(spark, settings, survey)
    lake.create(KnownWriters(lake, survey).reader)
    for name in ("good", *HARM):
        keep_decision(lake, Decision(name, "1", ACTIVE, 1.0, "to see what it does"))
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
    science = lake.read("science_alerts").select("candidate.magpsf").collect()
    assert account.distributed["fink_good_filt"] == sum(row.magpsf < 17 for row in science) > 0
    assert [account.distributed[f"fink_{name}_filt"] for name in HARM] == [0] * len(HARM)
    assert "switched off, as it failed in 3 batches in a row" in troubles["filter hangs"]
    assert troubles["filter ends"] == "its process ended with exit code 3"
    assert troubles["filter raises"] == "ZeroDivisionError: division by zero"
    assert "verdicts; got 10000" in troubles["filter long"]
    assert "must have inputs as a tuple of texts" in troubles[f"filter wrong ({own_filters / 'wrong.py'})"]
    failed = {name: found.failed for (name, _), found in failures_in(lake.reader, NIGHT.key).items()}
    assert failed == dict.fromkeys(HARM, len(science))
