"""``fink-dagster night``: the run of a night, followed until it is closed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fink_dagster.accounts.following import follow
from fink_dagster.commands.account import show
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fink_dagster.accounts.flow import Flow
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey


def night(
    night: Annotated[str, typer.Argument(help="The night, YYYY-MM-DD.")],
    survey: Annotated[str | None, typer.Option(help="Whose night; default: FINK_SURVEY.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait; the run goes on afterwards.", min=1)] = 3600.0,
) -> None:
    """Stream a night through the four stages on the running platform, until it is closed; then print its account.

    Joins the run when there is one. On a closed night it takes what is new, if anything.

    Example: fink-dagster night 2018-08-19
    """
    settings = load_settings()
    follow_and_show(settings, get_survey(survey or settings.survey), Night.parse(night), timeout)


def follow_and_show(settings: Settings, survey: Survey, night: Night, timeout: float) -> None:
    """Stream a night until it is closed, showing how far it has got, and print its account; errors as of ``follow``."""
    with progress(night) as report:
        follow(settings, survey, night, timeout, report)
    show(settings, survey, night)


@contextmanager
def progress(night: Night) -> Iterator[Callable[[Flow], None]]:
    """Show how far a night has got: one line that changes on a terminal, a line a change elsewhere."""
    console = Console(stderr=True)
    said = ""
    with console.status(f"night {night}: looking") as status:

        def report(flow: Flow) -> None:
            nonlocal said
            through = ", ".join(f"{name} {stage.passed}" for name, stage in flow.stages().items())
            text = f"night {night}: {through}"
            status.update(text)
            if text != said and not console.is_terminal:
                typer.echo(text, err=True)
            said = text

        yield report
