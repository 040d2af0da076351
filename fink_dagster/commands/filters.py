"""``fink-dagster filters``: which filters there are and how they stand; to try one, and to let it send or not.

Arguments and printing; filters are tried in ``stages.trial``, and what speaks for one is said in ``filters.trial``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fink_dagster.errors import OperationError, UserError
from fink_dagster.filters.activation import ACTIVE, INACTIVE, Decision, is_active, limit_of
from fink_dagster.filters.registry import get_entry, get_filter
from fink_dagster.filters.trial import fault_in, together
from fink_dagster.local.progress import counted, waiting
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.accounts.standing import Standing
    from fink_dagster.filters.filter import Filter
    from fink_dagster.filters.trial import Trial
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

WHY_CHARACTERS = 300

app = typer.Typer(help="Filters: which there are, which send, and what they pass.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The filter.")]
OfSurvey = Annotated[str | None, typer.Option(help="On whose alerts; default: FINK_SURVEY.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("list")
def listed(survey: OfSurvey = None, as_json: AsJson = False) -> None:
    """List every filter: version, where it comes from, whether it sends, its topic, what it passes, its last error.

    The yield is that of the last closed night, or of the nights it was tried on where it does not send yet. Exit code 1
    when one of your own is refused; the others run without it.

    Example: fink-dagster filters list
    """
    from fink_dagster.accounts.standing import REFUSED, standings
    from fink_dagster.lake.reading import LakeReader

    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    found = standings(LakeReader(settings, whose.name), whose)
    if as_json:
        typer.echo(json.dumps([_row(each) for each in found], indent=2))
    else:
        _print_standings(found)
    if any(each.state == REFUSED for each in found):
        raise typer.Exit(1)


@app.command("try")
def try_(
    name: Name,
    nights: Annotated[str, typer.Option(help="A night, or the first and the last as A..B.", metavar="A..B")],
    survey: OfSurvey = None,
    as_json: AsJson = False,
) -> None:
    """Try a filter on closed nights: how many alerts it passes, which for example, and where it fails.

    Judged as a night's run judges, and kept in the lake. Nobody is sent anything; Kafka and HBase are not needed. Exit
    code 1 when it failed on an alert.

    Example: fink-dagster filters try bright_and_new --nights 2018-08-19..2018-11-29
    """
    from fink_dagster.accounts.nights import nights_between
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.spark import session
    from fink_dagster.stages.trial import tried

    settings, whose, item = _asked(name, survey)
    _must_find_its_inputs(item, whose)
    which = nights_between(settings, whose, nights)
    trials: list[Trial] = []
    spark = session(settings, "fink filters try")
    try:
        with counted("night", len(which), lambda: len(trials)):
            for trial in tried(Lake(spark, settings, whose), item, which):
                trials.append(trial)
    finally:
        spark.stop()
    if as_json:
        typer.echo(json.dumps([{**asdict(trial), "share": trial.share} for trial in trials], indent=2))
    else:
        _print_trials(trials)
    if any(trial.failed for trial in trials):
        raise typer.Exit(1)


@app.command()
def activate(
    name: Name,
    limit: Annotated[
        float | None,
        typer.Option(help="Share of the alerts it is meant to pass at most; default: FINK_FILTER_SHARE_LIMIT."),
    ] = None,
    survey: OfSurvey = None,
) -> None:
    """Let a filter send, from the next run of a night on. No past night is sent again.

    Refused, with exit code 1, when this version was not tried yet, failed on an alert it was tried on, or passed a
    larger share than the limit. A new version of it has to be tried and activated again.

    Example: fink-dagster filters activate bright_and_new --limit 0.1
    """
    from fink_dagster.lake.filters import decisions_in, trials_in
    from fink_dagster.lake.reading import LakeReader

    settings, whose, item = _asked(name, survey)
    share = settings.filter_share_limit if limit is None else _share(limit)
    _must_find_its_inputs(item, whose)
    reader, entry = LakeReader(settings, whose.name), get_entry(name)
    decisions = decisions_in(reader)
    if is_active(entry, decisions) and limit in (None, limit_of(entry, decisions)):
        typer.echo(f"{_where(item)}: is active, with the limit {limit_of(entry, decisions):.2%}; nothing is changed")
        return
    trials = [one for one in trials_in(reader) if one.filter == name]
    if fault := fault_in(item, trials, share):
        message = f"{_where(item)}: {fault}"
        raise OperationError(message)
    passed, alerts = together([one for one in trials if one.version == item.version])
    _keep(settings, whose, Decision(name, item.version, ACTIVE, share, f"tried: passed {passed} of {alerts} alerts"))
    typer.echo(f"{_where(item)}: sends to {item.topic(whose.name)} from the next run of a night on")


@app.command()
def deactivate(
    name: Name,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "deactivated by command",
    survey: OfSurvey = None,
) -> None:
    """Let a filter send no more, from the next run of a night on; what was sent stays in its topic.

    Example: fink-dagster filters deactivate bright_and_new --why noisy
    """
    from fink_dagster.lake.filters import decisions_in
    from fink_dagster.lake.reading import LakeReader

    settings, whose, item = _asked(name, survey)
    entry, decisions = get_entry(name), decisions_in(LakeReader(settings, whose.name))
    if not is_active(entry, decisions):
        typer.echo(f"{_where(item)}: is inactive; nothing is changed")
        return
    _keep(settings, whose, Decision(name, item.version, INACTIVE, limit_of(entry, decisions), why[:WHY_CHARACTERS]))
    typer.echo(f"{_where(item)}: sends nothing from the next run of a night on; a run that goes on keeps it")


def _asked(name: str, survey: str | None) -> tuple[Settings, Survey, Filter]:
    settings = load_settings()
    return settings, get_survey(survey or settings.survey), get_filter(name)


def _where(item: Filter) -> str:
    return f"filter {item.name} (version {item.version})"


def _must_find_its_inputs(item: Filter, survey: Survey) -> None:
    from fink_dagster.stages.judgement import absent_inputs

    if absent := absent_inputs(item, survey):
        message = (
            f"{_where(item)}: must find its inputs in the science alerts of {survey.name}; "
            f"got no {', '.join(absent)}; add a science module that gives them, or name another filter"
        )
        raise UserError(message)


def _share(limit: float) -> float:
    if not 0 < limit <= 1:
        message = f"--limit: must be a share above 0 and at most 1; got {limit:g}; for example 0.1"
        raise UserError(message)
    return limit


def _keep(settings: Settings, survey: Survey, decision: Decision) -> None:
    from fink_dagster.lake.filters import keep_decision
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.spark import session
    from fink_dagster.stages.writers import KnownWriters

    with waiting("writing it down"):
        spark = session(settings, "fink filters")
        try:
            lake = Lake(spark, settings, survey)
            lake.create(KnownWriters(lake, survey).reader)
            keep_decision(lake, decision)
        finally:
            spark.stop()


def _row(found: Standing) -> dict[str, Any]:
    counts = {"share": found.share, "passed": found.passed, "alerts": found.alerts, "nights": list(found.nights)}
    return {
        "name": found.name,
        "version": found.version,
        "owner": found.owner,
        "source": found.source,
        "state": found.state,
        "why": found.why or None,
        "topic": found.topic,
        "yield": counts if found.alerts else None,
        "share_limit": found.share_limit,
        "last_error": found.error or None,
    }


def _print_standings(found: Sequence[Standing]) -> None:
    table = Table()
    for header in ("name", "version", "from", "state", "topic", "yield"):
        table.add_column(header, overflow="fold")
    for each in found:
        source = Path(each.source).name if each.source.endswith(".py") else each.source
        cells = (each.name, each.version or "", source, each.state, each.topic or "", _yield(each))
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)
    for each in found:
        if each.why:
            typer.echo(f"{each.state}: {each.name} ({each.source}): {each.why}")
        if each.error:
            typer.echo(f"last error: {each.name}: {each.error}")


def _yield(found: Standing) -> str:
    if found.share is None:
        return ""
    where = found.nights[0] if len(found.nights) == 1 else f"{len(found.nights)} nights"
    return f"{found.share:.2%}, {found.passed} of {found.alerts} ({where})"


def _print_trials(trials: Sequence[Trial]) -> None:
    table = Table()
    for header in ("night", "alerts", "passed", "share", "failed", "examples"):
        table.add_column(header, overflow="fold")
    for trial in trials:
        examples = ", ".join(str(each) for each in trial.examples)
        numbers = (str(trial.alerts), str(trial.passed), f"{trial.share:.2%}", str(trial.failed))
        table.add_row(trial.night, *numbers, examples)
    Console().print(table)
    for trial in trials:
        if trial.failed:
            typer.echo(f"failed: night {trial.night}: {trial.error}")
    passed, alerts = together(trials)
    typer.echo(f"passed {passed} of {alerts} alerts, {passed / alerts:.2%}")
