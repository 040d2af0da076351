"""A night's run: the stages as one multi-asset over the streams, observed meanwhile, materialized when drained.

One step holds all four queries (the compact profile), since assets of one run that depend on each other would
otherwise wait for each other.
"""

# Dagster reads the annotations of an asset's function as objects: no `from __future__ import annotations` here.
import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.config import NightConfig
from assets.partitions import nights
from assets.specs import column_lineage, key, stage_specs
from expectations.account import account_closes, account_spec
from expectations.filters import filters_behave, filters_spec
from fink_dagster.accounts.account import Account
from fink_dagster.accounts.closing import close_night
from fink_dagster.accounts.filters import behaviour_in
from fink_dagster.accounts.flow import Flow, Passage
from fink_dagster.errors import UserError
from fink_dagster.lake.quarantine import TABLE as QUARANTINE
from fink_dagster.lake.quarantine import Selection, followed
from fink_dagster.orchestrator import REFUSED_TAG, step
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
        name=step(survey),
        specs=stage_specs(survey),
        check_specs=[account_spec(survey), filters_spec(survey, nights(survey))],
        partitions_def=nights(survey),
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    )
    def stream_night(
        context: dg.AssetExecutionContext, config: NightConfig, streams: StreamsResource
    ) -> Iterator[object]:
        night = Night.parse(context.partition_key)
        selection = _selection(context, config, night)
        with streams.streaming(survey, night, context.run_id, selection) as stream:
            if selection is not None:
                _tell_redriven(context, stream, selection)
            flow = _until_drained(context, stream)
            stream.finish()
            account = close_night(stream.lake, load_settings(), night, context.run_id)
        yield account_closes(survey, account)
        if not account.closes:
            why = "; ".join(account.why_open)
            message = f"night {night} ({survey.name}): its account must close; {why}; run it again"
            raise dg.Failure(message)
        yield from _materializations(survey, flow, account)
        yield filters_behave(survey, behaviour_in(stream.lake.reader, survey, night.key, stream.filters))

    return stream_night


def _selection(context: dg.AssetExecutionContext, config: NightConfig, night: Night) -> Selection | None:
    try:
        return config.selection(night)
    except UserError as error:
        # What is asked wrongly is wrong a second time. Runs are retried by this tag; `allow_retries` is about a step's.
        context.instance.add_run_tags(context.run_id, {"dagster/retry_on_asset_or_op_failure": "false"})
        raise dg.Failure(str(error)) from None


def _until_drained(context: dg.AssetExecutionContext, stream: NightStreams) -> Flow:
    """Watch the streams until nothing waits, nothing has come for the grace time, and the night is over."""
    drained_since: float | None = None
    observed, observed_at, told = None, 0.0, dict[str, str]()
    for flow in flows(stream, context):
        if flow != observed and time.monotonic() - observed_at >= OBSERVE_SECONDS:
            _observe(context, stream, flow)
            observed, observed_at = flow, time.monotonic()
        told = _tell_failures(context, stream, told)
        over = dt.datetime.now(dt.UTC) >= stream.survey.night_rule.ends_at(stream.night)
        drained_since = (drained_since or time.monotonic()) if flow.drained and over else None
        if drained_since and time.monotonic() - drained_since >= stream.settings.drain_grace_seconds:
            _observe(context, stream, flow)
            return flow
    message = "the streams of a night are watched until it is drained"
    raise AssertionError(message)


def _observe(context: dg.AssetExecutionContext, stream: NightStreams, flow: Flow) -> None:
    rates, measures = stream.rates(), stream.measures()
    for stage, passage in flow.stages().items():
        speed = {"rows_per_second": rates[stage].rows_per_second} if stage in rates else {}
        numbers = {**_numbers(passage), **speed, **measures.get(stage, {})}
        _log_observation(context, key(stream.survey, TABLE_OF_STAGE[stage]), numbers)
    _log_observation(context, key(stream.survey, QUARANTINE), _in_quarantine(stream.quarantined()))


def _log_observation(context: dg.AssetExecutionContext, asset: dg.AssetKey, metadata: dict[str, Any]) -> None:
    context.log_event(dg.AssetObservation(asset, partition=context.partition_key, metadata=metadata))


def _tell_redriven(context: dg.AssetExecutionContext, stream: NightStreams, selection: Selection) -> None:
    """Log which nights have the alerts now and what is still none; a tag says the latter to whoever asked for it."""
    context.instance.add_run_tags(context.run_id, {REFUSED_TAG: json.dumps(stream.refused)})
    landed = (row["redriven_to"] for row in followed(stream.lake.reader, selection))
    nights = dict(sorted(Counter(night for night in landed if night is not None).items()))
    context.log.info(
        f"re-driven; alerts by night: {nights or 'none'}; still no alerts: {stream.refused or 'none'}; "
        "each night is closed by its own run"
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
    yield dg.MaterializeResult(asset_key=key(survey, QUARANTINE), metadata=_in_quarantine(account.quarantined))


def _numbers(passage: Passage) -> dict[str, Any]:
    return {"in": passage.read, "out": passage.passed, "set_aside": passage.set_aside, "lag": passage.waiting}


def _in_quarantine(by_code: dict[str, int]) -> dict[str, Any]:
    records = [dg.TableRecord({"code": code, "messages": number}) for code, number in by_code.items()]
    columns = [dg.TableColumn("code", "string"), dg.TableColumn("messages", "int")]
    table = dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))
    return {"quarantined": sum(by_code.values()), "by_code": table}
