"""``fink-dagster catalogues``: which catalogues alerts are compared with, and how to get some.

Arguments, progress and printing; the work is done in ``fink_dagster.catalogues``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fink_dagster.catalogues import fetch as fetching
from fink_dagster.catalogues.known import catalogues
from fink_dagster.catalogues.registration import files_in, register
from fink_dagster.errors import OperationError, UserError
from fink_dagster.local.progress import counted, waiting
from fink_dagster.settings import load_settings

if TYPE_CHECKING:
    from fink_dagster.catalogues.catalogue import Catalogue
    from fink_dagster.settings import Settings

app = typer.Typer(help="Catalogues alerts are compared with.", no_args_is_help=True)
READY, ABSENT, REFUSED = "ready", "absent", "refused"
_MIB = 1 << 20


@app.command("list")
def listed(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List every catalogue: its file, sources, radius, and whether it can be used. Exit code 1 when one is refused.

    A catalogue is registered by putting its file, called NAME.parquet, .csv, .fits, .vot or .xml, into the folder.

    Example: fink-dagster catalogues list
    """
    settings = load_settings()
    with waiting("looking into catalogues"):
        rows = [_row(settings, catalogue) for catalogue in catalogues()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print(settings, rows)
    if any(row["state"] == REFUSED for row in rows):
        raise typer.Exit(1)


@app.command()
def fetch(
    sdist: Annotated[Path | None, typer.Option("--from", help="The fink-science .tar.gz, when it is at hand.")] = None,
) -> None:
    """Take the catalogues that travel with fink-science out of its source package; what is there already is kept.

    They are GCVS, VSX, Mangrove, 3HSP and 4LAC. The package is 88 MiB and comes from the package index.

    Example: fink-dagster catalogues fetch
    """
    settings = load_settings()
    folder = settings.catalogue_folder
    names = fetching.absent(folder)
    if not names:
        typer.echo(f"catalogues: those of fink-science are in {folder}")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            _take(settings, sdist, names, Path(scratch))
    except OSError as error:
        message = f"catalogues: {folder} must take files; got {error.strerror}; make room, or set FINK_CATALOGUES"
        raise OperationError(message) from None
    for name in names:
        registered = register(name, folder, settings.catalogue_indexes)
        assert registered is not None
        typer.echo(f"{name}: {registered.rows} sources -> {registered.file}")


def _take(settings: Settings, sdist: Path | None, names: list[str], scratch: Path) -> None:
    if sdist is None:
        with counted("fink-science, MiB", fetching.PACKAGE_BYTES // _MIB, lambda: _bytes_in(scratch) // _MIB):
            sdist = fetching.download(scratch, settings.environment())
    with waiting("taking catalogues out"):
        fetching.must_be_the_package(sdist)
        fetching.take_out(sdist, names, settings.catalogue_folder, scratch)


def _bytes_in(folder: Path) -> int:
    """Return how much pip has got so far; it moves its files while one looks."""
    found = 0
    for file in folder.rglob("*.tar.gz"):
        try:
            found = max(found, file.stat().st_size)
        except FileNotFoundError:
            continue
    return found


def _row(settings: Settings, catalogue: Catalogue) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": catalogue.name,
        "title": catalogue.title,
        "radius_arcsec": catalogue.radius_arcsec,
        "epoch": catalogue.epoch,
        "file": None,
        "sources": None,
        "state": ABSENT,
        "why": None,
    }
    try:
        registered = register(catalogue.name, settings.catalogue_folder, settings.catalogue_indexes)
    except UserError as refusal:
        return {**row, "state": REFUSED, "why": str(refusal)}
    if registered is None:
        return row
    return {**row, "file": str(registered.file), "sources": registered.rows, "state": READY}


def _print(settings: Settings, rows: list[dict[str, Any]]) -> None:
    table = Table("name", "file", title=f"in {settings.catalogue_folder}", title_justify="left")
    table.add_column("sources", justify="right")
    table.add_column("radius", justify="right")
    table.add_column("state")
    for row in rows:
        file = Path(row["file"]).name if row["file"] else ""
        sources = "" if row["sources"] is None else str(row["sources"])
        table.add_row(row["name"], file, sources, f"{row['radius_arcsec']:g} arcsec", row["state"])
    Console().print(table)
    for row in rows:
        if row["why"]:
            typer.echo(row["why"])
    for name in _strangers(settings.catalogue_folder):
        typer.echo(f"{name}: no catalogue is called so; it is not used")


def _strangers(folder: Path) -> list[str]:
    known = {catalogue.name for catalogue in catalogues()}
    return [file.name for file in files_in(folder) if file.stem not in known]
