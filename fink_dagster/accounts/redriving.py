"""Quarantined messages by command: the run of their night is launched or joined, and asked what became of them.

How they are re-driven is in ``stages.redrive``; nights are followed until they are closed in ``following``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fink_dagster import orchestrator
from fink_dagster.accounts.following import watched
from fink_dagster.errors import OperationError
from fink_dagster.lake.quarantine import coordinate_of, followed
from fink_dagster.lake.reading import LakeReader
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fink_dagster.accounts.flow import Flow
    from fink_dagster.lake.quarantine import Selection
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey


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
        The nights all this concerns; they may have work left.
    """

    landed: dict[str, int]
    before: int
    refused: dict[str, int]
    nights: list[Night]


def redrive(
    settings: Settings, survey: Survey, selection: Selection, timeout: float, report: Callable[[Flow], None]
) -> Redriven:
    """Re-drive messages of a night by its run, and return as soon as the run says what it refused; it goes on.

    Called again it joins the run that re-drives the same, if that still goes on.

    Parameters
    ----------
    settings : Settings
        Where the platform is.
    survey : Survey
        Whose night.
    selection : Selection
        Which messages, of which night.
    timeout : float
        How long to wait [s]; the run goes on afterwards.
    report : callable
        Told how far the night has got, about once a second.

    Raises
    ------
    OperationError
        When nothing fits, the night is being streamed, the run failed, or the time is over.
    TransientError
        When the platform does not answer.
    """
    assert selection.night is not None
    reader, night = LakeReader(settings, survey.name), Night(selection.night)
    rows = followed(reader, selection)
    if not rows:
        message = (
            f"quarantine: must hold a message to re-drive; nothing fits {selection}; "
            "see `fink-dagster quarantine list --all`"
        )
        raise OperationError(message)
    waiting = {coordinate_of(row) for row in rows if row["redriven_to"] is None}
    refused: dict[str, int] = {}
    if waiting:
        which = {name: value for name, value in selection.given().items() if name != "night"}
        _launch_or_join(settings, survey, night, which)
        runs = watched(settings, survey, night, timeout, report, which)
        refused = next((run.refused for run in runs if run.refused is not None), {})
        rows = followed(reader, selection)
    alerts = {coordinate_of(row): row["redriven_to"] for row in rows if row["redriven_to"] is not None}
    landed = Counter(to for place, to in alerts.items() if place in waiting)
    nights = sorted({night, *map(Night, alerts.values())})
    return Redriven(dict(sorted(landed.items())), len(rows) - len(waiting), refused, nights)


def _launch_or_join(settings: Settings, survey: Survey, night: Night, which: Mapping[str, Any]) -> None:
    newest = orchestrator.newest_run(settings, survey, night)
    if newest is None or not newest.goes_on:
        orchestrator.launch(settings, survey, night, which)
        return
    ours = orchestrator.newest_run(settings, survey, night, which)
    if ours is None or ours.id != newest.id:
        message = (
            f"night {night} ({survey.name}): must not be streamed when its messages are to be re-driven; run "
            f"{newest.id} streams it; wait with `fink-dagster night {night}`, or cancel that run"
        )
        raise OperationError(message)
