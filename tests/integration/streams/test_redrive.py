"""Quarantined messages re-driven through the four stages: their night and the one they land in close again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.accounts.account import account_of
from fink_dagster.accounts.closing import close_night, has_news
from fink_dagster.accounts.live import live_counts
from fink_dagster.lake.quarantine import Selection
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night
from tests.integration.streams.conftest import produce, snapshots, stream_until_closed
from tests.toy import Toy, toy_message

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings

NIGHT, NEXT = Night("2023-03-05"), Night("2023-03-06")
TOPIC = "toy-20230305"
EVERY = Selection(NIGHT.key)


@pytest.fixture
def strict() -> Toy:
    """A survey that wants a quality of every alert."""
    survey = Toy()
    survey.name, survey.cuts = "redriven", ()
    survey.never_null = (*Toy.never_null, "quality")
    return survey


def message(number: int, mjd: float = 60009.0, quality: float | None = None) -> bytes:
    return toy_message(sourceId=number, mjd=mjd, quality=quality)


def test_what_is_redriven_goes_through_the_stages_once_and_both_nights_close_again(
    spark: SparkSession, settings: Settings, strict: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(night: Night, redriven: Selection | None = None) -> Account:
        account = stream_until_closed(spark, settings, strict, night, redriven)
        assert account.closes, account.why_open
        return account

    produce(settings, TOPIC, [message(1, quality=0.9), message(1), message(2), message(3, mjd=60010.0), b"junk"])
    produce(settings, "toy-20230306", [message(4, mjd=60010.0, quality=0.9)])
    assert closed(NIGHT).quarantined == {"missing_value": 3, "not_toy": 1}
    assert closed(NEXT).raw == 1

    strict.never_null = Toy.never_null
    keep = Stream2Raw._keep

    def keep_and_crash(*arguments: Any) -> None:
        keep(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Stream2Raw, "_keep", keep_and_crash)
    with pytest.raises(KeyboardInterrupt):
        closed(NIGHT, EVERY)
    monkeypatch.undo()
    for night in (NIGHT, NEXT):
        found = account_of(settings, strict, night)
        assert found is not None
        assert (found.state, found.closes) == ("open", False)

    account = closed(NIGHT, EVERY)
    assert (account.received, account.raw, account.science, account.duplicates) == (5, 3, 2, 1)
    assert (account.quarantined, account.other_nights) == ({"not_toy": 1}, {NEXT.key: 1})
    assert has_news(settings, strict, NEXT)
    landed = closed(NEXT)
    assert (landed.received, landed.raw, landed.science, landed.from_other_topics) == (1, 2, 2, {TOPIC: 1})
    for night, found in ((NIGHT, account), (NEXT, landed)):
        live = live_counts(settings, strict, night, found)
        assert all(said["agrees"] for said in live.values()), live

    before = touched(spark, settings, strict)
    streams = NightStreams(spark, settings, strict, NIGHT, "test")
    try:
        streams.start(EVERY)
        assert streams.flow().drained
        assert streams.refused == streams.quarantined() == {"not_toy": 1}
        assert streams.flow().stream2raw.set_aside == 1
    finally:
        streams.stop()
    assert close_night(streams.lake, settings, NIGHT, "test").as_books() == account.as_books()
    assert touched(spark, settings, strict) == before


def touched(spark: SparkSession, settings: Settings, survey: Toy) -> dict[str, int | None]:
    """Return the newest snapshot of the tables a re-drive could write to."""
    found = snapshots(spark, settings, survey)
    return {table: found[table] for table in ("raw_alerts", "quarantine", "nights", "writer_schemas")}
