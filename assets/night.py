"""A night's run: the four stages as one multi-asset over the streams, observed meanwhile, materialized when drained.

One step holds all four queries (the compact profile), since assets of one run that depend on each other would
otherwise wait for each other.
"""

# Dagster reads the annotations of an asset's function as objects: no `from __future__ import annotations` here.
import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.partitions import nights
from assets.specs import column_lineage, key, stage_specs
from expectations.account import account_closes, account_spec
from fink_dagster.accounts.account import Account
from fink_dagster.accounts.closing import close_night, open_night
from fink_dagster.accounts.flow import Flow, Passage
from fink_dagster.settings import load_settings
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night, Survey
from resources.streams import StreamsResource, flows

OBSERVE_SECONDS = 10.0
"""An observation is 1.3 kB in two databases; at this pace, and only on change, a night costs a few megabytes."""
TABLE_OF_STAGE = {
    "stream2raw": "raw_alerts",
    "raw2science": "science_alerts",
    "distribution": "distributed",
    "archive": "archived",
}


def night_assets(survey: Survey) -> dg.AssetsDefinition:
    """Return the multi-asset of a survey's nights."""

    @dg.multi_asset(
        name=f"stream_{survey.name}_night",
        specs=stage_specs(survey),
        check_specs=[account_spec(survey)],
        partitions_def=nights(survey),
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def stream_night(context: dg.AssetExecutionContext, streams: StreamsResource) -> Iterator[object]:
        night = Night.parse(context.partition_key)
        with streams.streaming(survey, night, context.run_id) as stream:
            flow = _until_drained(context, stream)
        account = close_night(stream.lake, load_settings(), night, context.run_id)
        yield account_closes(survey, account)
        if not account.closes:
            why = "; ".join(account.why_open)
            message = f"night {night} ({survey.name}): its account must close; {why}; run it again"
            raise dg.Failure(message)
        yield from _materializations(survey, flow, account)

    return stream_night


def _until_drained(context: dg.AssetExecutionContext, stream: NightStreams) -> Flow:
    """Watch the streams until nothing waits, nothing has come for the grace time, and the night is over."""
    drained_since: float | None = None
    observed, observed_at, told, opened = None, 0.0, dict[str, str](), False
    for flow in flows(stream, context):
        if flow != observed and time.monotonic() - observed_at >= OBSERVE_SECONDS:
            _observe(context, stream, flow)
            observed, observed_at = flow, time.monotonic()
        told = _tell_failures(context, stream, told)
        if not opened and not flow.drained:
            open_night(stream.lake, stream.night, context.run_id)
            opened = True
        over = dt.datetime.now(dt.UTC) >= stream.survey.night_rule.ends_at(stream.night)
        drained_since = (drained_since or time.monotonic()) if flow.drained and over else None
        if drained_since and time.monotonic() - drained_since >= stream.settings.drain_grace_seconds:
            _observe(context, stream, flow)
            return flow
    message = "the streams of a night are watched until it is drained"
    raise AssertionError(message)


def _observe(context: dg.AssetExecutionContext, stream: NightStreams, flow: Flow) -> None:
    rates = stream.rates()
    for stage, passage in flow.stages().items():
        speed = {"rows_per_second": rates[stage].rows_per_second} if stage in rates else {}
        context.log_event(
            dg.AssetObservation(
                key(stream.survey, TABLE_OF_STAGE[stage]),
                partition=context.partition_key,
                metadata={**_numbers(passage), **speed},
            )
        )


def _tell_failures(context: dg.AssetExecutionContext, stream: NightStreams, told: dict[str, str]) -> dict[str, str]:
    failures = stream.failures()
    for what, why in failures.items():
        if told.get(what) != why:
            context.log.warning(f"{what}: {why}")
    return failures


def _materializations(survey: Survey, flow: Flow, account: Account) -> Iterator[dg.MaterializeResult]:
    for stage, passage in flow.stages().items():
        metadata: dict[str, Any] = {
            **_numbers(passage),
            "dagster/partition_row_count": passage.passed,
            "account": dg.MetadataValue.json(account.as_books()),
            "account_closes": account.closes,
        }
        if stage == "raw2science":
            metadata["dagster/column_lineage"] = column_lineage(survey)
        yield dg.MaterializeResult(asset_key=key(survey, TABLE_OF_STAGE[stage]), metadata=metadata)


def _numbers(passage: Passage) -> dict[str, Any]:
    return {"in": passage.read, "out": passage.passed, "set_aside": passage.set_aside, "lag": passage.waiting}
