"""``fink-dagster enrich``: what the science modules say of the alerts in a file. No server is asked.

Arguments, the progress bar and the last lines; the work is done in ``fink_dagster.enrich``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_dagster.enrich import enrich as enriching
from fink_dagster.enrich.plan import plan_of
from fink_dagster.enrich.sources import open_source
from fink_dagster.enrich.target import target_of
from fink_dagster.local.progress import counted
from fink_dagster.science.crossmatch import with_catalogues
from fink_dagster.science.registry import refused_for
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from collections import Counter

    from fink_dagster.enrich.enrich import Summary

_MIB = 1 << 20


def enrich(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="A survey tarball (.tar.gz), .avro or .parquet file, or a folder.")
    ],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="A .parquet file, NAME.rejected.parquet and NAME.quarantined.parquet beside it; or else a folder for "
            "enriched.parquet, rejected.parquet and quarantined.parquet.",
        ),
    ],
    survey: Annotated[str | None, typer.Option(help="Whose alerts these are; default: FINK_SURVEY.")] = None,
    modules: Annotated[
        str | None, typer.Option(help="Only these science modules, by comma, and those they need; default: all.")
    ] = None,
    no_cuts: Annotated[
        bool, typer.Option("--no-cuts", help="Enrich also what fails the survey's quality cuts.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace output that is there.")] = False,
) -> None:
    """Run the science modules on alerts in files, without any server, and write what they add as Parquet.

    Written are objectId, candid and all added columns; beside them what the cuts rejected, and what was damaged.
    Columns of the input that are not the survey's own are not looked at.

    Example: fink-dagster enrich ztf_public_20180819.tar.gz enriched.parquet --modules roid
    """
    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    names = None if modules is None else [name.strip() for name in modules.split(",")]
    plan = plan_of(whose, names, with_cuts=not no_cuts)
    opened = open_source(source, whose)
    target = target_of(output, opened, overwrite=overwrite)
    able = with_catalogues(plan.modules, settings.catalogue_folder, settings.catalogue_indexes)
    plan = replace(plan, modules=tuple(able))
    for refused in refused_for(by_place(whose.alert_schema)) if names is None else ():
        typer.echo(f"not run: {refused.sentence}", err=True)
    done, began = 0, time.monotonic()

    def read(size: int) -> None:
        nonlocal done
        done += size

    with counted(f"enriching {opened.name}, MiB", opened.size // _MIB, lambda: done // _MIB):
        summary = enriching.enrich(opened, target, plan, read)
    _print(summary, time.monotonic() - began)
    typer.echo(f"written: {', '.join(str(file) for file in reversed(target.files.values()))}")


def _print(summary: Summary, seconds: float) -> None:
    for each in summary.examples:
        where = f"{each.place.source}, record {each.place.position}"
        typer.echo(f"damaged: {where}: {each.code}: {each.text}", err=True)
    damaged = summary.quarantined.total()
    if damaged > len(summary.examples):
        typer.echo(f"damaged: and {damaged - len(summary.examples)} more; all are in the output", err=True)
    for (name, code), alerts in sorted(summary.failures.items()):
        why = summary.sentences.get((name, code), "")
        typer.echo(f"module {name}: {code} on {alerts} of {summary.science} alerts: {why}", err=True)
    rate = summary.read / max(seconds, 1e-3)
    typer.echo(
        f"read {summary.read} alerts: science {summary.science}, rejected {summary.rejected.total()}"
        f"{_listed(summary.rejected)}, damaged {damaged}{_listed(summary.quarantined)}; "
        f"{seconds:.1f} s, {rate:.0f} alerts/s"
    )


def _listed(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{name} {number}' for name, number in sorted(counts.items()))})" if counts else ""
