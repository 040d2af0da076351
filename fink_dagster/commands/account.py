"""``fink-dagster account``: the books of a night, as a table or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fink_dagster.errors import OperationError, UserError
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey


def account(
    night: Annotated[str | None, typer.Argument(help="The night, YYYY-MM-DD.")] = None,
    survey: Annotated[str | None, typer.Option(help="Whose night; default: FINK_SURVEY.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every night something is stored for.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Print the account of a night: what came in, what came out, what was set aside, and whether it closes.

    Counted in the lake alone; Kafka and HBase are compared where they answer.

    Example: fink-dagster account 2018-08-19 --json
    """
    if (night is None) == (not every):
        message = "account: must be given either a night or --all; for example `fink-dagster account 2018-08-19`"
        raise UserError(message)
    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    if not every:
        show(settings, whose, Night.parse(night or ""), as_json=as_json)
        return
    from fink_dagster.accounts.nights import all_nights
    from fink_dagster.lake.reading import LakeReader

    accounts = [_with_live(settings, whose, Night(key)) for key in all_nights(LakeReader(settings, whose.name))]
    if as_json:
        typer.echo(json.dumps([_as_json(*found) for found in accounts], indent=2))
    for found, live in [] if as_json else accounts:
        _print(found, live)


def show(settings: Settings, survey: Survey, night: Night, *, as_json: bool = False) -> None:
    """Print one night's account.

    Raises
    ------
    OperationError
        When nothing is stored for the night.
    """
    found, live = _with_live(settings, survey, night)
    if as_json:
        typer.echo(json.dumps(_as_json(found, live), indent=2))
    else:
        _print(found, live)


def _with_live(settings: Settings, survey: Survey, night: Night) -> tuple[Account, dict[str, Any]]:
    # More than a second to import, which whoever asks for help or mistypes a night need not wait for.
    from fink_dagster.accounts.account import account_of
    from fink_dagster.accounts.live import live_counts

    found = account_of(settings, survey, night)
    if found is None:
        message = f"night {night} ({survey.name}): must have been streamed; nothing is stored; see `account --all`"
        raise OperationError(message)
    return found, live_counts(settings, survey, night, found)


def _as_json(found: Account, live: dict[str, Any]) -> dict[str, Any]:
    return {**found.as_dict(), "live": live}


def _print(found: Account, live: dict[str, Any]) -> None:
    table = Table(title=f"{found.survey} night {found.night} ({found.state})", title_justify="left")
    table.add_column("stage")
    table.add_column("what")
    table.add_column("alerts", justify="right")
    for stage, rows in _lines(found):
        for line, (what, number) in enumerate(rows):
            table.add_row(stage if line == 0 else "", what, str(number), end_section=line == len(rows) - 1)
    console = Console()
    console.print(table)
    if found.closes:
        console.print("[bold green]The account closes.[/]")
    for why in found.why_open:
        console.print(f"[bold red]open:[/] {why}")
    for server, said in live.items():
        if not said["answers"] or not said["agrees"]:
            console.print(
                f"{server}: {'says otherwise: ' + str(said['found']) if said['answers'] else said['why']}", markup=False
            )


def _lines(found: Account) -> list[tuple[str, list[tuple[str, int]]]]:
    quarantined = [(f"quarantined: {code}", number) for code, number in found.quarantined.items()]
    elsewhere = [(f"alerts of {night}", number) for night, number in found.other_nights.items()]
    others = [(f"from {topic}", number) for topic, number in found.from_other_topics.items()]
    rejected = [(f"rejected: {reason}", number) for reason, number in found.rejected.items()]
    return [
        ("stream2raw", [("received", found.received), ("raw", found.raw), *others, *elsewhere, *quarantined]),
        ("raw2science", [("science", found.science), *rejected, ("duplicates", found.duplicates)]),
        ("distribution", list(found.distributed.items())),
        ("archive", [(f"table {table}", number) for table, number in found.archived.items()]),
    ]
