"""The door: every command by name, and what an error looks like to who typed it. The commands are in ``commands``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from fink_dagster.commands import catalogues, quarantine, science
from fink_dagster.commands.account import account
from fink_dagster.commands.demo import demo
from fink_dagster.commands.doctor import doctor
from fink_dagster.commands.enrich import enrich
from fink_dagster.commands.night import night
from fink_dagster.commands.replay import replay
from fink_dagster.commands.services import down, services, setup, up
from fink_dagster.errors import FinkError

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    help="fink-dagster: an alert broker as a data platform.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
_COMMANDS: tuple[Callable[..., None], ...] = (setup, doctor, up, down, services, demo, replay, night, account, enrich)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(catalogues.app, name="catalogues")
app.add_typer(science.app, name="science")


def main() -> None:
    """Run a command of ``fink-dagster``."""
    run(app)


def run(commands: typer.Typer) -> None:
    """Run what was typed; an error of ours is one sentence and its exit code."""
    try:
        commands()
    except FinkError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
