"""redrive: what has been mended becomes alerts, once, whatever happens meanwhile; quarantine is only added to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.lake.lake import Lake
from fink_dagster.lake.nights import CLOSED, change, state_of
from fink_dagster.lake.quarantine import Selection
from fink_dagster.stages import stream2raw
from fink_dagster.stages.redrive import redrive
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.surveys.base import Night
from tests.packets import with_new_field
from tests.toy import Toy, toy_message, ztf_named

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings

BatchOf = Callable[..., "DataFrame"]
NIGHT, NEXT = Night("2023-02-24"), "2023-02-25"
TOPIC = "toy-20230224"
EVERY = Selection(NIGHT.key)


@pytest.fixture
def strict(request: pytest.FixtureRequest, spark: SparkSession, settings: Settings) -> NightContext:
    """A night of a survey that wants a quality of every alert, with tables of its own."""
    survey = Toy()
    survey.name = request.node.name[:60]
    survey.never_null = (*Toy.never_null, "quality")
    lake = Lake(spark, settings, survey)
    lake.create()
    return NightContext(spark, settings, survey, NIGHT, lake, "a run")


def mended(context: NightContext) -> NightContext:
    context.survey.never_null = Toy.never_null
    return context


def rows(context: NightContext, table: str) -> list[dict[str, Any]]:
    found = context.lake.reader.rows(table, ("*",))
    return sorted(found.to_pylist(), key=lambda row: row["offset"]) if found else []


def state(context: NightContext, night: str) -> str | None:
    found = state_of(context.lake.reader, night)
    return found.state if found else None


def without_quality(number: int, mjd: float = 60000.0) -> bytes:
    return toy_message(sourceId=number, quality=None, mjd=mjd)


def test_what_is_mended_becomes_alerts_and_the_rest_stays_as_it_was(strict: NightContext, batch_of: BatchOf) -> None:
    messages = [toy_message(sourceId=1), without_quality(2), b"noise", without_quality(1)]
    Stream2Raw(strict).process(batch_of(messages, topic=TOPIC), Batch(0, "c"))
    quarantined = rows(strict, "quarantine")
    assert [row["code"] for row in quarantined] == ["missing_value", "not_toy", "missing_value"]

    assert redrive(mended(strict), Selection(NIGHT.key, "not_toy")) == {"not_toy": 1}
    assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0]
    assert redrive(strict, Selection(NIGHT.key, topic=TOPIC, partition=0, offset=1)) == {}
    assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0, 1]

    assert redrive(strict, EVERY) == {"not_toy": 1}
    assert redrive(strict, EVERY) == {"not_toy": 1}
    found = rows(strict, "raw_alerts")
    assert [(row["offset"], row["is_duplicate"]) for row in found] == [(0, False), (1, False), (3, True)]
    assert {row["night"] for row in found} == {NIGHT.key}
    assert found[1]["kafka_timestamp"] == quarantined[0]["kafka_timestamp"]
    assert rows(strict, "quarantine") == quarantined


def test_a_crash_at_any_point_leaves_nothing_twice_and_no_night_closed_with_old_books(
    strict: NightContext, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batch_of([without_quality(1), without_quality(2, mjd=60001.0), b"noise"], topic=TOPIC)
    Stream2Raw(strict).process(batch, Batch(0, "c"))
    for night in (NIGHT.key, NEXT):
        change(strict.lake, night, CLOSED, "before", {})
    open_night, publish = stream2raw.open_night, stream2raw.publish

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    def then_crash(done: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: crash(done(*arguments))

    points: list[tuple[str, Callable[..., None], list[str], int]] = [
        ("open_night", crash, [CLOSED, CLOSED], 0),
        ("open_night", then_crash(open_night), ["open", CLOSED], 0),
        ("publish", crash, ["open", "open"], 0),
        ("publish", then_crash(publish), ["open", "open"], 2),
    ]
    for name, crashes, states, stored in points:
        with monkeypatch.context() as patch:
            patch.setattr(stream2raw, name, crashes)
            with pytest.raises(KeyboardInterrupt):
                redrive(mended(strict), EVERY)
        assert [state(strict, night) for night in (NIGHT.key, NEXT)] == states
        assert len(rows(strict, "raw_alerts")) == stored
    assert redrive(strict, EVERY) == {"not_toy": 1}
    assert [(row["offset"], row["night"]) for row in rows(strict, "raw_alerts")] == [(0, NIGHT.key), (1, NEXT)]
    assert len(rows(strict, "quarantine")) == 3


def test_a_batch_that_comes_again_after_its_messages_were_redriven_stores_none_twice(
    strict: NightContext, batch_of: BatchOf
) -> None:
    batch = batch_of([without_quality(1), b"noise"], topic=TOPIC)
    Stream2Raw(strict).process(batch, Batch(0, "c"))
    assert redrive(mended(strict), EVERY) == {"not_toy": 1}
    Stream2Raw(strict).process(batch, Batch(0, "c"))
    assert [(row["offset"], row["is_duplicate"]) for row in rows(strict, "raw_alerts")] == [(0, False)]
    assert [row["offset"] for row in rows(strict, "quarantine")] == [0, 1]


def test_a_batch_cut_off_before_its_quarantine_and_mended_since_loses_no_message(
    strict: NightContext, batch_of: BatchOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = batch_of([toy_message(sourceId=1), without_quality(2), b"noise"], topic=TOPIC)

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Stream2Raw, "_quarantine", crash)
        with pytest.raises(KeyboardInterrupt):
            Stream2Raw(strict).process(batch, Batch(0, "c"))
    assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0]
    for _ in range(2):
        Stream2Raw(mended(strict)).process(batch, Batch(0, "c"))
        assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0, 1]
        assert [(row["offset"], row["code"]) for row in rows(strict, "quarantine")] == [(2, "not_toy")]
    Stream2Raw(strict).process(batch_of([toy_message(sourceId=3)], start=3, topic=TOPIC), Batch(1, "c"))
    assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0, 1, 3]


def test_many_messages_are_taken_in_batches_of_the_usual_size(strict: NightContext, batch_of: BatchOf) -> None:
    messages = [without_quality(number) for number in range(1, 6)]
    Stream2Raw(strict).process(batch_of([*messages, b"noise"], topic=TOPIC), Batch(0, "c"))
    few = replace(mended(strict), settings=strict.settings.model_copy(update={"max_offsets_per_trigger": 2}))
    before = len(list(few.lake.reader.table("raw_alerts").snapshots()))
    assert redrive(few, EVERY) == {"not_toy": 1}
    assert [row["offset"] for row in rows(strict, "raw_alerts")] == [0, 1, 2, 3, 4]
    assert len(list(few.lake.reader.table("raw_alerts").snapshots())) - before >= 3


def test_nothing_is_opened_when_everything_is_refused_again(strict: NightContext, batch_of: BatchOf) -> None:
    Stream2Raw(strict).process(batch_of([b"noise"], topic=TOPIC), Batch(0, "c"))
    change(strict.lake, NIGHT.key, CLOSED, "before", {})
    assert redrive(strict, EVERY) == {"not_toy": 1}
    assert state(strict, NIGHT.key) == CLOSED


def test_new_fields_of_what_is_mended_are_kept(
    spark: SparkSession, settings: Settings, batch_of: BatchOf, packets: list[bytes]
) -> None:
    survey = ztf_named("redriven_with_new_fields")
    survey.required = (*survey.required, "candidate.wanted")
    lake, night = Lake(spark, settings, survey), Night("2018-08-19")
    lake.create()
    context = NightContext(spark, settings, survey, night, lake)
    Stream2Raw(context).process(batch_of([with_new_field(packets[0], "brightness", 0.25)]), Batch(0, "c"))
    assert [row["code"] for row in rows(context, "quarantine")] == ["other_survey"]

    survey.required = type(survey).required
    assert redrive(context, Selection(night.key)) == {}
    (row,) = rows(context, "raw_alerts")
    assert row["candidate"]["brightness"] == 0.25
