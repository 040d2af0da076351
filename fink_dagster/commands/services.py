"""Commands about the platform's servers: set up, start, stop, look.

Only arguments and printing; the work is in ``fink_dagster.local``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fink_dagster.local import platform
from fink_dagster.local.jars import ensure_jars
from fink_dagster.local.samples import ensure_samples
from fink_dagster.settings import load_settings

if TYPE_CHECKING:
    from fink_dagster.local.platform import Service

_BUDGET_MIB = 6 * 1024  # what the whole platform may hold with its Spark application


def setup() -> None:
    """Fetch the jars and sample packets the platform runs on; what is there is kept.

    Example: fink-dagster setup
    """
    settings = load_settings()
    ensure_jars(settings, typer.echo)
    ensure_samples(settings, typer.echo)


def up() -> None:
    """Start the platform to stay: Kafka, HBase and Dagster; what runs already is kept.

    Example: fink-dagster up
    """
    settings = load_settings()
    ensure_jars(settings, typer.echo)
    platform.up(settings, typer.echo)


def down() -> None:
    """Stop the platform: Dagster with its runs, Kafka and HBase. Nothing is lost; up goes on where it stopped.

    Example: fink-dagster down
    """
    platform.down(load_settings(), typer.echo)


def services(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show every service: address, version, whether it answers, memory of it and all it started, security.

    Example: fink-dagster services --json
    """
    states = platform.services(load_settings())
    if as_json:
        typer.echo(json.dumps(states, indent=2))
    else:
        _print(states)


def _print(states: dict[str, Service]) -> None:
    total = sum(state["rss_mib"] for state in states.values())
    table = Table("service", "address", "version", "answers", "security", show_footer=False)
    table.add_column("memory", justify="right")
    for name, state in states.items():
        answers = "yes" if state["healthy"] else "no"
        memory = f"{state['rss_mib']} MiB"
        table.add_row(name, state["address"], state["version"], answers, state["security"], memory)
    console = Console()
    console.print(table)
    console.print(f"together {total} MiB of at most {_BUDGET_MIB} MiB, running nights included")
