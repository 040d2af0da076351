"""Quarantined messages by command: the run of their night re-drives them, and every night they land in is followed.

How they are re-driven is in ``stages.redrive``; what was asked for is told here from the lake.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster import orchestrator
from fink_dagster.accounts.following import follow, until_ended
from fink_dagster.errors import OperationError
from fink_dagster.lake.quarantine import coordinate_of, followed
from fink_dagster.lake.reading import LakeReader
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from fink_dagster.accounts.flow import Flow
    from fink_dagster.lake.quarantine import Selection
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

    Progress = Callable[[Night], AbstractContextManager[Callable[[Flow], None]]]


@dataclass(frozen=True)
class Redriven:
    """What has become of the messages that fitted a selection.

    Attributes
    ----------
    landed : dict
        Night -> messages that have become its alerts.
    before : int
        Messages that were alerts before.
    refused : dict
        Code -> messages that stay in quarantine, by what is wrong with them now.
    nights : list of Night
        The nights all this concerns, each of them closed.
    """

    landed: dict[str, int]
    before: int
    refused: dict[str, int]
    nights: list[Night]


def redrive(settings: Settings, survey: Survey, selection: Selection, timeout: float, progress: Progress) -> Redriven:
    """Re-drive messages of a night by its run, and follow every night they land in until it is closed.

    Cut off and called again, it goes on where it was.

    Parameters
    ----------
    settings : Settings
        Where the platform is.
    survey : Survey
        Whose night.
    selection : Selection
        Which messages, of which night.
    timeout : float
        How long to wait for each night [s]; its run goes on afterwards.
    progress : callable
        Given a night, returns a context whose value is told how far the night has got.

    Raises
    ------
    OperationError
        When nothing fits, the night is being streamed, a run failed, or the time is over.
    TransientError
        When the platform does not answer.
    """
    assert selection.night is not None
    reader, night = LakeReader(settings, survey.name), Night(selection.night)
    rows = followed(reader, selection)
    if not rows:
        message = f"quarantine: must hold a message to re-drive; nothing fits {selection}; see `quarantine list --all`"
        raise OperationError(message)
    waiting = {coordinate_of(row) for row in rows if row["redriven_to"] is None}
    refused: dict[str, int] = {}
    if waiting:
        _launch(settings, survey, night, selection)
        with progress(night) as report:
            refused = until_ended(settings, survey, night, timeout, report).refused
        rows = followed(reader, selection)
    nights = sorted({night, *(Night(row["redriven_to"]) for row in rows if row["redriven_to"] is not None)})
    for each in nights:
        with progress(each) as report:
            follow(settings, survey, each, timeout, report)
    moved = [row["redriven_to"] for row in rows if coordinate_of(row) in waiting and row["redriven_to"] is not None]
    return Redriven(dict(sorted(Counter(moved).items())), len(rows) - len(waiting), refused, nights)


def _launch(settings: Settings, survey: Survey, night: Night, selection: Selection) -> None:
    run = orchestrator.newest_run(settings, survey, night)
    if run is not None and run.in_progress:
        message = (
            f"night {night} ({survey.name}): must not be streamed when its messages are to be re-driven; run {run.id} "
            f"streams it; wait with `fink-dagster night {night}`, or cancel that run"
        )
        raise OperationError(message)
    which = {name: value for name, value in selection.given().items() if name != "night"}
    orchestrator.launch(settings, survey, night, {"redrive": which})
