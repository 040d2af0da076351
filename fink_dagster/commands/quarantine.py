"""``fink-dagster quarantine``: what could not become an alert, where it came from and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pyiceberg.expressions import And
from rich.console import Console
from rich.table import Table

from fink_dagster.errors import OperationError
from fink_dagster.lake.reading import EVERYTHING, LakeReader, of_night, where_equal
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

app = typer.Typer(help="Messages that could not become an alert.", no_args_is_help=True)
_LISTED = ("night", "topic", "partition", "offset", "code", "text")
_SHOWN_BYTES = 64


@app.command("list")
def listed(
    night: Annotated[str | None, typer.Option(help="Only this night, YYYY-MM-DD.")] = None,
    code: Annotated[str | None, typer.Option(help="Only this code.")] = None,
    survey: Annotated[str | None, typer.Option(help="Whose; default: FINK_SURVEY.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List quarantined messages with their coordinate, code and text.

    Example: fink-dagster quarantine list --night 2018-11-29 --code truncated
    """
    where = of_night(Night.parse(night).key) if night else EVERYTHING
    rows = [row for row in _rows(survey, _LISTED, where) if code in (None, row["code"])]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for name in _LISTED:
        # A coordinate is copied from here into `show`; only the text may be broken.
        table.add_column(name, no_wrap=name != "text", overflow="fold")
    for row in sorted(rows, key=lambda row: tuple(row[name] for name in _LISTED[:4])):
        table.add_row(*(str(row[name]) for name in _LISTED))
    Console().print(table)


@app.command()
def show(
    topic: Annotated[str, typer.Argument(help="Topic of the message.")],
    partition: Annotated[int, typer.Argument(help="Its partition.")],
    offset: Annotated[int, typer.Argument(help="Its offset.")],
    survey: Annotated[str | None, typer.Option(help="Whose; default: FINK_SURVEY.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write the message's bytes to this file.")] = None,
) -> None:
    """Show one quarantined message: why it is here, its headers, its first bytes.

    Example: fink-dagster quarantine show ztf_20181129_programid1 3 17 --save message.avro
    """
    where = And(where_equal("topic", topic), where_equal("partition", partition), where_equal("offset", offset))
    rows = _rows(survey, (*_LISTED, "headers", "value", "kafka_timestamp", "quarantined_at"), where)
    if not rows:
        message = f"quarantine: must hold {topic} {partition} {offset}; it does not; see `fink-dagster quarantine list`"
        raise OperationError(message)
    row = rows[0]
    value = bytes(row.pop("value") or b"")
    headers = {item["key"]: bytes(item["value"] or b"").decode("utf-8", "replace") for item in row.pop("headers") or []}
    for name, text in {**row, "headers": headers, "bytes": len(value), "begins": value[:_SHOWN_BYTES]}.items():
        typer.echo(f"{name:16} {text}")
    if save:
        save.write_bytes(value)


def _rows(survey: str | None, columns: tuple[str, ...], where: Any) -> list[dict[str, Any]]:
    settings = load_settings()
    found = LakeReader(settings, get_survey(survey or settings.survey).name).rows("quarantine", columns, where)
    return found.to_pylist() if found else []
