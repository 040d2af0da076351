"""A night by command: its run is started or joined, and followed until the night is closed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fink_dagster import orchestrator
from fink_dagster.accounts.closing import has_news
from fink_dagster.accounts.flow import Flow, flow_of
from fink_dagster.errors import OperationError
from fink_dagster.lake.reading import LakeReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fink_dagster.orchestrator import Run
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

PAUSE_SECONDS = 1.0


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
        if run is None or not run.goes_on:
            orchestrator.launch(settings, survey, night)
        for _ in watched(settings, survey, night, timeout, report):
            pass


def watched(
    settings: Settings,
    survey: Survey,
    night: Night,
    timeout: float,
    report: Callable[[Flow], None],
    redrive: Mapping[str, Any] | None = None,
) -> Iterator[Run]:
    """Yield the newest run of a night about once a second, until it has succeeded.

    With ``redrive``, of the runs launched with that; the other parameters and the errors are those of :func:`follow`.
    """
    reader = LakeReader(settings, survey.name)
    deadline = time.monotonic() + timeout
    while True:
        run = orchestrator.newest_run(settings, survey, night, redrive)
        report(flow_of(reader, survey, night, waiting=0))
        if run is not None:
            yield run
            if run.status == "SUCCESS":
                return
            if not run.goes_on:
                why = orchestrator.why_failed(settings, run)
                message = f"night {night} ({survey.name}): its run must succeed; {why}"
                raise OperationError(message)
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
