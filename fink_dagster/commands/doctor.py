"""The command that says what is missing on this machine.

Only printing and the exit code; the checks are in ``fink_dagster.local.doctor``.
"""

from __future__ import annotations

import typer

from fink_dagster.local.doctor import examine
from fink_dagster.settings import load_settings


def doctor() -> None:
    """Look whether everything the platform needs is there. Exit code 1 when something is missing.

    Example: fink-dagster doctor
    """
    findings = examine(load_settings())
    for finding in findings:
        typer.echo(f"{'ok     ' if finding.good else 'missing'} {finding.sentence}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
