"""``fink-dagster quarantine``: what could not become an alert, where it came from and why; and to try it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fink_dagster.accounts import redriving
from fink_dagster.commands.night import follow_and_show, progress
from fink_dagster.errors import OperationError, UserError
from fink_dagster.lake.quarantine import Selection, by_code, followed
from fink_dagster.lake.reading import LakeReader
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from fink_dagster.accounts.redriving import Redriven

app = typer.Typer(help="Messages that could not become an alert.", no_args_is_help=True)
_LISTED = ("night", "topic", "partition", "offset", "code", "text")
_SINCE = "redriven_to"
_SHOWN_BYTES = 64

OfNight = Annotated[str | None, typer.Option("--night", help="Only of this night, YYYY-MM-DD.")]
Code = Annotated[str | None, typer.Option(help="Only with this code, such as truncated.")]
Topic = Annotated[str | None, typer.Option(help="Only of this topic.")]
Partition = Annotated[int | None, typer.Option(help="Only of this partition of the topic.", min=0)]
Offset = Annotated[int | None, typer.Option(help="Only at this offset of the partition.", min=0)]
OfSurvey = Annotated[str | None, typer.Option("--survey", help="Whose; default: FINK_SURVEY.")]


@app.command("list")
def listed(
    night: OfNight = None,
    code: Code = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    survey: OfSurvey = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have become alerts since.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List quarantined messages with their coordinate, code and text, and how many there are by code.

    Example: fink-dagster quarantine list --night 2018-11-29 --code truncated
    """
    selection = Selection(_night(night), code, topic, partition, offset)
    found = [row for row in followed(_reader(survey), selection, *_LISTED) if every or row[_SINCE] is None]
    rows = sorted(found, key=lambda row: tuple(row[name] for name in _LISTED[:4]))
    if as_json:
        typer.echo(json.dumps([{name: row[name] for name in (*_LISTED, _SINCE)} for row in rows], indent=2))
    else:
        _print(rows, (*_LISTED, _SINCE) if every else _LISTED)


@app.command()
def show(
    night: OfNight = None,
    code: Code = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    survey: OfSurvey = None,
    save: Annotated[Path | None, typer.Option(help="Write the message's bytes to this file.")] = None,
) -> None:
    """Show one quarantined message: why it is here, its headers, its first bytes.

    Example: fink-dagster quarantine show --topic ztf_20181129_programid1 --partition 3 --offset 17 --save message.avro
    """
    reader, selection = _reader(survey), Selection(_night(night), code, topic, partition, offset)
    row = _the_one(reader, selection)
    value = bytes(row.pop("value") or b"")
    headers = {item["key"]: bytes(item["value"] or b"").decode("utf-8", "replace") for item in row.pop("headers") or []}
    for name, text in {**row, "headers": headers, "bytes": len(value), "begins": value[:_SHOWN_BYTES]}.items():
        typer.echo(f"{name:16} {text}")
    if save:
        save.write_bytes(value)


@app.command()
def redrive(
    night: Annotated[str, typer.Argument(help="The night of the messages' topic, YYYY-MM-DD.")],
    code: Code = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    survey: OfSurvey = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each night; its run goes on afterwards.", min=1)
    ] = 3600.0,
) -> None:
    """Try a night's quarantined messages again after whatever was wrong with them has been mended.

    The run of the night takes them first; what has become an alert goes on through the stages, each in its own night.
    What is refused again stays in quarantine. That is told at once; then every night they landed in is followed until
    it is closed, and its account printed. Cut off and called again, it goes on where it was.

    Example: fink-dagster quarantine redrive 2018-11-29 --code too_large
    """
    settings = load_settings()
    whose, which = get_survey(survey or settings.survey), Night.parse(night)
    selection = Selection(which.key, code, topic, partition, offset)
    with progress(which) as report:
        done = redriving.redrive(settings, whose, selection, timeout, report)
    typer.echo(_told(done))
    for each in done.nights:
        follow_and_show(settings, whose, each, timeout)


def _night(text: str | None) -> str | None:
    return None if text is None else Night.parse(text).key


def _reader(survey: str | None) -> LakeReader:
    settings = load_settings()
    return LakeReader(settings, get_survey(survey or settings.survey).name)


def _the_one(reader: LakeReader, selection: Selection) -> dict[str, Any]:
    found = followed(reader, selection, "night")
    if not found:
        message = (
            f"quarantine: must hold a message to show; nothing fits {selection}; "
            "see `fink-dagster quarantine list --all`"
        )
        raise OperationError(message)
    if len(found) > 1:
        message = f"quarantine show: must be given one message; {len(found)} fit {selection}; name its coordinate"
        raise UserError(message)
    return followed(reader, selection, *_LISTED, "headers", "value", "kafka_timestamp", "quarantined_at")[0]


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        # A coordinate is copied from here into `show`; only the text may be broken.
        table.add_column(name, no_wrap=name != "text", overflow="fold")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    if rows:
        Console().print(table)
    counts = by_code(row for row in rows if row[_SINCE] is None)
    typer.echo(f"{sum(counts.values())} in quarantine{_in_brackets(counts)}")


def _told(done: Redriven) -> str:
    moved, refused = sum(done.landed.values()), sum(done.refused.values())
    if not moved and not refused:
        return f"nothing is left to re-drive: the {done.before} messages that fit are in raw_alerts"
    return (
        f"{moved + refused} re-driven: {moved} to raw_alerts{_in_brackets(done.landed)}, "
        f"{refused} stay in quarantine{_in_brackets(done.refused)}"
    )


def _in_brackets(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{what}: {number}' for what, number in counts.items())})" if counts else ""
