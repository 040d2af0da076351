"""``fink-dagster archive``: the HBase tables as a whole. Arguments and printing; the work is in ``streams.rebuild``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fink_dagster.local.progress import counted
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey

if TYPE_CHECKING:
    from fink_dagster.stages.rebuild import Rebuilt

app = typer.Typer(help="The HBase tables.", no_args_is_help=True)


@app.callback()
def archive() -> None:
    """The HBase tables."""  # noqa: D401 - the line in the list of commands


@app.command()
def rebuild(
    nights: Annotated[str, typer.Option(help="A night, or the first and the last as A..B.", metavar="A..B")],
    survey: Annotated[str | None, typer.Option(help="Whose nights; default: FINK_SURVEY.")] = None,
) -> None:
    """Make the HBase tables of closed nights what follows from the lake; what is right is not touched.

    Tables that are gone are made; rows and cells that follow from nothing go. Safe to interrupt and to repeat.

    Example: fink-dagster archive rebuild --nights 2018-08-19..2018-11-29
    """
    from fink_dagster.accounts.nights import nights_between
    from fink_dagster.lake.spark import session
    from fink_dagster.streams.rebuild import rebuild_nights

    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    # Also those that have no science alert any more: what HBase holds of them is to go.
    which = nights_between(settings, whose, nights, "raw_alerts")
    spark, done = session(settings, "fink archive rebuild"), 0
    try:
        with counted("night", len(which), lambda: min(done, len(which))):
            for night, rebuilt in rebuild_nights(spark, settings, whose, which):
                done += 1
                typer.echo(f"{f'night {night}' if night else 'histories'}: {_in_words(rebuilt)}")
    finally:
        spark.stop()


def _in_words(rebuilt: Rebuilt) -> str:
    parts = []
    for what, counts in (("put", rebuilt.put), ("removed", rebuilt.removed)):
        tables = ", ".join(f"{table} {number}" for table, number in sorted(counts.items()) if number)
        if tables:
            parts.append(f"{what} {tables}")
    return "; ".join(parts) or "everything is right"
