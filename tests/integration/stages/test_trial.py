"""A filter tried on a night of the lake: what is counted, shown and kept, and what a lake keeps of decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fink_dagster.filters import registry
from fink_dagster.filters.activation import ACTIVE, INACTIVE, Decision
from fink_dagster.filters.registry import get_filter
from fink_dagster.filters.trial import Trial, fault_in
from fink_dagster.lake.filters import Failures, decisions_in, failures_in, keep_decision, keep_failures, trials_in
from fink_dagster.lake.lake import Append
from fink_dagster.stages.distribution import active_filters
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.stages.trial import EXAMPLES, tried
from tests.own_filters import HEAD, declared

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

COMPLAINS = "(_ for _ in ()).throw(ValueError('two' + chr(10) + 'lines'))"
RAISES = f"lambda magnitude: (magnitude < 17) if (magnitude < 19).all() else {COMPLAINS}"


def test_a_trial_counts_what_passes_and_what_fails_alert_by_alert_and_is_kept(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes], own_filters: Path
) -> None:
    filters = [declared("bright"), declared("raises", predicate=RAISES), declared("never", predicate="lambda m: m < 0")]
    (own_filters / "three.py").write_text(f"{HEAD}FILTERS = [{', '.join(filters)}]\n")
    registry.reload()
    Stream2Raw(context).process(batch_of(packets), Batch(0, "raw"))
    Raw2Science(context).process(context.lake.read("raw_alerts"), Batch(0, "science"))
    rows = context.lake.read("science_alerts").select("candid", "candidate.magpsf").collect()
    bright = sorted(row.candid for row in rows if row.magpsf < 17)
    faint = [row.candid for row in rows if row.magpsf >= 19]
    assert min(len(bright), len(faint)) > 0

    night, lake = context.night, context.lake
    (found,) = tried(lake, get_filter("bright"), [night])
    assert found == Trial("bright", "1", night.key, 20, len(bright), 0, "", tuple(bright[:EXAMPLES]))
    (broken,) = tried(lake, get_filter("raises"), [night])
    assert (broken.alerts, broken.passed, broken.failed) == (20, len(bright), len(faint))
    assert broken.error == "ValueError: two lines"
    (never,) = tried(lake, get_filter("never"), [night])
    assert (never.passed, never.failed, never.examples) == (0, 0, ())
    assert trials_in(lake.reader) == [found, broken, never]

    assert "must pass at most" in fault_in(get_filter("bright"), trials_in(lake.reader), 0.001)
    assert fault_in(get_filter("bright"), trials_in(lake.reader), found.share) == ""
    assert "must fail on no alert" in fault_in(get_filter("raises"), trials_in(lake.reader), 1.0)
    list(tried(lake, get_filter("bright"), [night]))
    assert trials_in(lake.reader) == [broken, never, found]


def test_what_is_decided_is_read_back_without_spark_and_holds_of_the_next_stage_that_begins(
    context: NightContext, own_filters: Path
) -> None:
    (own_filters / "bright.py").write_text(f"{HEAD}FILTER = {declared('bright')}\n")
    registry.reload()
    reader, survey = context.lake.reader, context.survey
    before = [item.name for item in active_filters(reader, survey)]
    assert "bright" not in before
    keep_decision(context.lake, Decision("bright", "1", ACTIVE, 0.1, "tried"))
    keep_decision(context.lake, Decision(before[0], get_filter(before[0]).version, INACTIVE, 1.0, "wrong"))
    assert [item.name for item in active_filters(reader, survey)] == sorted({*before[1:], "bright"})
    keep_decision(context.lake, Decision("bright", "1", INACTIVE, 0.1, "loud"))
    assert [item.name for item in active_filters(reader, survey)] == before[1:]
    assert [one.why for one in decisions_in(reader)] == ["tried", "wrong", "loud"]


def test_failures_of_a_batch_that_comes_again_are_counted_once(context: NightContext) -> None:
    item = get_filter("sso_ztf_candidates")
    for number in (0, 0, 1, 1):
        append = Append("distribution", "checkpoint", number)
        keep_failures(context.lake, context.night.key, [item], {item.name: 3}, {item.name: f"batch {number}"}, append)
    expected = {(item.name, item.version): Failures(6, "batch 1", context.night.key)}
    assert failures_in(context.lake.reader, context.night.key) == expected
    assert failures_in(context.lake.reader, "2018-11-29") == {}
