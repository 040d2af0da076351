"""A night by command: its run is started or joined, and followed until the night is closed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fink_dagster import orchestrator
from fink_dagster.accounts.closing import has_news
from fink_dagster.accounts.flow import Flow, flow_of
from fink_dagster.errors import OperationError
from fink_dagster.lake.reading import LakeReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.orchestrator import Run
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

PAUSE_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""How long Dagster may take to launch the run it said it would try again; it looks every few seconds."""


def follow(settings: Settings, survey: Survey, night: Night, timeout: float, report: Callable[[Flow], None]) -> None:
    """Stream a night until it is closed; return at once when it is and nothing new has come.

    Parameters
    ----------
    settings : Settings
        Where the platform is.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    timeout : float
        How long to wait [s]; the run goes on afterwards.
    report : callable
        Told how far the night has got, about once a second.

    Raises
    ------
    OperationError
        When there is no such night, the run failed, or the time is over.
    """
    news = has_news(settings, survey, night)
    if news is None:
        message = f"night {night} ({survey.name}): must have a topic or alerts; there is neither; replay it first"
        raise OperationError(message)
    if news:
        run = orchestrator.newest_run(settings, survey, night)
        if run is None or not run.in_progress:
            orchestrator.launch(settings, survey, night)
        until_ended(settings, survey, night, timeout, report)


def until_ended(
    settings: Settings, survey: Survey, night: Night, timeout: float, report: Callable[[Flow], None]
) -> Run:
    """Wait until the newest run of a night has succeeded, and return it; parameters and errors as of :func:`follow`."""
    reader = LakeReader(settings, survey.name)
    deadline = time.monotonic() + timeout
    failed_since: float | None = None
    while True:
        run = orchestrator.newest_run(settings, survey, night)
        report(flow_of(reader, survey, night, waiting=0))
        if run is not None and run.status == "SUCCESS":
            return run
        if run is not None and not run.in_progress:
            failed_since = failed_since or time.monotonic()
            if not run.will_retry or time.monotonic() - failed_since > RETRY_SECONDS:
                message = (
                    f"night {night} ({survey.name}): its run must succeed; {orchestrator.why_failed(settings, run)}"
                )
                raise OperationError(message)
        else:
            failed_since = None
        if time.monotonic() > deadline:
            raise OperationError(_what_is_missing(settings, survey, night, reader))
        time.sleep(PAUSE_SECONDS)


def _what_is_missing(settings: Settings, survey: Survey, night: Night, reader: LakeReader) -> str:
    from fink_dagster.local.platform import services

    silent = [name for name, service in services(settings).items() if not service["healthy"]]
    waiting = [name for name, stage in flow_of(reader, survey, night, waiting=0).stages().items() if stage.waiting]
    what = ", ".join(
        [*(f"{name} does not answer" for name in silent), *(f"{name} has alerts waiting" for name in waiting)]
    )
    return (
        f"night {night} ({survey.name}): must be closed by now; {what or 'its run goes on'}; wait longer with --timeout"
    )
