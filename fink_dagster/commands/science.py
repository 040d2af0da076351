"""``fink-dagster science``: which science modules there are, and how to begin one of one's own.

Arguments, printing and the two files a beginner gets; modules are found and judged in ``fink_dagster.science``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fink_dagster.errors import OperationError, UserError
from fink_dagster.local.progress import counted
from fink_dagster.science.admission import PLATFORM_COLUMNS, is_module_name, names_in
from fink_dagster.science.registry import entries_for, get_module, modules
from fink_dagster.science.template import module_text, test_text
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from fink_dagster.science.own import Entry
    from fink_dagster.stages.rerun import Rerun

app = typer.Typer(help="Science modules, the platform's and your own.", no_args_is_help=True)
READY, REFUSED, UNABLE = "ready", "refused", "unable"
BESIDE = "science_modules"
"""Folder a first module goes to when no other is named."""


@app.command("list")
def listed(
    survey: Annotated[str | None, typer.Option(help="On whose alerts; default: FINK_SURVEY.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List every science module: version, owner, columns, where it comes from, and whether it runs.

    Exit code 1 when one of your own is refused; the others run without it.

    Example: fink-dagster science list
    """
    whose = get_survey(survey or load_settings().survey)
    rows = [_row(entry) for entry in entries_for(by_place(whose.alert_schema))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print(rows)
    if any(row["state"] == REFUSED for row in rows):
        raise typer.Exit(1)


@app.command()
def rerun(
    module: Annotated[list[str], typer.Option(help="A science module; may be given several times.")],
    nights: Annotated[str, typer.Option(help="A night, or the first and the last as A..B.", metavar="A..B")],
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="Only where it failed or has not run, or what it reads has changed.")
    ] = False,
    survey: Annotated[str | None, typer.Option(help="Whose nights; default: FINK_SURVEY.")] = None,
) -> None:
    """Run science modules again on closed nights; their columns change in the lake and in HBase, and no other does.

    Nobody is sent anything. Exit code 1 when a module failed on an alert.

    Example: fink-dagster science rerun --module vsx --nights 2018-08-19..2018-11-29 --failed-only
    """
    from fink_dagster.accounts.nights import nights_between
    from fink_dagster.lake.spark import session
    from fink_dagster.streams.rerun import rerun_nights

    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    for name in module:
        get_module(name)
    which = nights_between(settings, whose, nights)
    spark, done, failed = session(settings, "fink science rerun"), 0, False
    try:
        with counted("night and module", len(which) * len(set(module)), lambda: done):
            for night, name, outcome in rerun_nights(spark, settings, whose, which, module, failed_only=failed_only):
                done += 1
                failed = failed or bool(outcome.failed)
                typer.echo(f"night {night}: {name}: {_in_words(outcome)}")
    finally:
        spark.stop()
    if failed:
        raise typer.Exit(1)


def _in_words(outcome: Rerun) -> str:
    failed = ", ".join(f"{code} on {number}" for code, number in sorted(outcome.failed.items()))
    waiting = f"; {outcome.waiting} alerts wait for a module that failed on them" if outcome.waiting else ""
    why = f"; failed: {failed}: {outcome.text or 'see the codes in science_status'}" if failed else ""
    return f"asked for {outcome.asked} alerts, changed {outcome.changed}{waiting}{why}"


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the module is called: a-z, 0-9 and _.")],
    folder: Annotated[
        Path | None,
        typer.Option(help=f"Where its file goes; default: FINK_SCIENCE_MODULES, or else {BESIDE}/ here."),
    ] = None,
) -> None:
    """Write a science module that works and its test, to be changed into yours. Nothing that is there is replaced.

    Example: fink-dagster science new my_value
    """
    _must_be_free(name)
    held = load_settings().science_modules
    goes = (folder or held or Path(BESIDE)).expanduser()
    files = {goes / f"{name}.py": module_text(name), goes / f"test_{name}.py": test_text(name)}
    for file in files:
        if file.exists():
            message = f"science module {name}: must get a new file; got {str(file)!r}, which is there; choose another"
            raise UserError(message)
    try:
        goes.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            file.write_text(text)
    except OSError as error:
        message = f"folder {str(goes)!r}: must take files; got {error.strerror}; choose another with --folder"
        raise OperationError(message) from None
    _say_what_to_do_next(name, list(files), is_set=held is not None and held == goes.absolute())


def _must_be_free(name: str) -> None:
    if not is_module_name(name) or name.startswith("test_"):
        message = (
            "science module: must be called by a-z, 0-9 and _, a letter first and not test_; "
            f"got {name[:60]!r}; choose another"
        )
        raise UserError(message)
    survey = get_survey(load_settings().survey)
    had = {column.lower() for column in PLATFORM_COLUMNS} | names_in(by_place(survey.alert_schema))
    for module in modules():
        had |= {module.name, *(output.name.lower() for output in module.outputs)}
    if name in had:
        message = (
            f"science module: must have a name and a column of its own; got {name!r}, which is taken; take another"
        )
        raise UserError(message)


def _say_what_to_do_next(name: str, files: list[Path], *, is_set: bool) -> None:
    module, test = files
    typer.echo(f"written: {module}, {test}")
    typer.echo("next:")
    if not is_set:
        typer.echo(f"  export FINK_SCIENCE_MODULES={module.parent.absolute()}")
    typer.echo(f"  pytest {test}")
    typer.echo("  fink-dagster science list")
    typer.echo(f"  fink-dagster enrich FILE {name}.parquet --modules {name}")


def _row(entry: Entry) -> dict[str, Any]:
    module = entry.module
    row: dict[str, Any] = {"name": entry.name, "version": None, "owner": None, "outputs": [], "source": entry.source}
    if module is not None and not entry.why:
        row |= {"version": module.version, "owner": module.owner, "outputs": [out.name for out in module.outputs]}
    state = (REFUSED if entry.is_own else UNABLE) if entry.why else READY
    return {**row, "state": state, "why": entry.why or None}


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table()
    for header in ("name", "version", "owner", "columns", "from", "state"):
        table.add_column(header, overflow="fold")
    for row in rows:
        source = Path(row["source"]).name if row["source"].endswith(".py") else row["source"]
        table.add_row(
            row["name"], row["version"] or "", row["owner"] or "", ", ".join(row["outputs"]), source, row["state"]
        )
    Console().print(table)
    for row in rows:
        if row["why"]:
            typer.echo(f"{row['state']}: {row['name']} ({row['source']}): {row['why']}")
