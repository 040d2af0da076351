"""The door: every command by name, and what an error looks like to who typed it. The commands are in ``commands``."""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperGroup

from fink_dagster.errors import FinkError

# Each command's place in ``commands``, and its line in the list of them.
_COMMANDS = {
    "setup": ("services:setup", "Fetch the jars and sample packets the platform runs on; what is there is kept."),
    "doctor": (
        "doctor:doctor",
        "Look whether everything the platform needs is there. Exit code 1 when something is missing.",
    ),
    "up": ("services:up", "Start the platform to stay: Kafka, HBase and Dagster; what runs already is kept."),
    "down": (
        "services:down",
        "Stop the platform: Dagster with its runs, Kafka and HBase. Nothing is lost; up goes on where it stopped.",
    ),
    "services": (
        "services:services",
        "Show every service: address, version, whether it answers, memory of it and all it started, security.",
    ),
    "demo": (
        "demo:demo",
        "Stream the 30 real ZTF packets of 2018-08-19 through the four stages and print the night's account.",
    ),
    "replay": ("replay:replay", "Send the alerts of an archive to the embedded Kafka, bytes unchanged."),
    "night": (
        "night:night",
        "Stream a night through the four stages on the running platform, until it is closed; then print its account.",
    ),
    "account": (
        "account:account",
        "Print the account of a night: what came in, what came out, what was set aside, and whether it closes.",
    ),
    "enrich": (
        "enrich:enrich",
        "Run the science modules on alerts in files, without any server, and write what they add as Parquet.",
    ),
    "object": (
        "objects:object_",
        "Print the alerts of an object, or of several, oldest first. Exit code 1 when there are none.",
    ),
    "cone": ("objects:cone", "Print the objects around a place on the sky, nearest first."),
    "alerts": ("objects:alerts", "Print the newest alerts of a class, an asteroid, a track, a name in TNS or a night."),
    "quarantine": ("quarantine:app", "Messages that could not become an alert."),
    "transfer": (
        "transfer:transfer",
        "Send alerts of closed nights to a topic of their own, counted, for fink-client's data transfer.",
    ),
    "catalogues": ("catalogues:app", "Catalogues alerts are compared with."),
    "archive": ("archive:app", "The HBase tables."),
    "science": ("science:app", "Science modules, the platform's and your own."),
    "users": ("users:app", "Users of user topics, and what they may read."),
    "filters": ("filters:app", "Filters: which there are, which send, and what they pass."),
}


class _Commands(TyperGroup):
    """The commands as they are listed; the one that is typed is loaded then, for all together take seconds."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and load(str(name)), rest


app = typer.Typer(
    cls=_Commands,
    help="fink-dagster: an alert broker as a data platform.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for _name, (_, _said) in _COMMANDS.items():
    app.command(_name, help=_said)(lambda: None)


def load(name: str) -> Any:
    """Return the command of a name, or the group of commands, as typer runs it."""
    found, holder = resolve_name(f"fink_dagster.commands.{_COMMANDS[name][0]}"), typer.Typer()
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        # A declination may begin with a minus sign, which is no option.
        holder.command(name, context_settings={"ignore_unknown_options": found.__name__ == "cone"})(found)
    return typer.main.get_group(holder).commands[name]


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
