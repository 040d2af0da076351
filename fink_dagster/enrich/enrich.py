"""Cuts and science modules over a source, chunk by chunk: each alert becomes a row of exactly one table.

The same cuts and modules as on the platform, so an alert gets the same values here and there. How alerts are read is
said in ``reading``, how rows are written in ``outputs``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.enrich.outputs import enriched_columns, quarantined_columns, schemas, written
from fink_dagster.enrich.packets import Damaged
from fink_dagster.enrich.reading import chunks
from fink_dagster.enrich.target import ENRICHED, QUARANTINED, REJECTED
from fink_dagster.errors import OperationError
from fink_dagster.science.frame import frame_of
from fink_dagster.science.isolation import processes
from fink_dagster.science.run import run_modules
from fink_dagster.science.switches import Switches, tallies_of
from fink_dagster.surveys.base import LAST_DAY
from fink_dagster.surveys.cuts import rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fink_dagster.enrich.outputs import Rows
    from fink_dagster.enrich.plan import Plan
    from fink_dagster.enrich.reading import Chunk
    from fink_dagster.enrich.sources import Source
    from fink_dagster.enrich.target import Target
    from fink_dagster.science.run import Ran
    from fink_dagster.surveys.base import Survey

EXAMPLES = 10
"""Damaged packets named one by one; all of them stand in their file."""


@dataclass
class Summary:
    """What came of a source.

    Parameters
    ----------
    science : int
        Alerts enriched.
    rejected : Counter
        Alerts that failed a cut, by reason.
    quarantined : Counter
        What could not become an alert, by code.
    examples : list of Damaged
        The first of these.
    failures : Counter
        Alerts by module that failed on them and code.
    sentences : dict
        What went wrong first, by module and code.
    """

    science: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    examples: list[Damaged] = field(default_factory=list)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    sentences: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Alerts that could be read."""
        return self.science + self.rejected.total()


def enrich(source: Source, target: Target, plan: Plan, report: Callable[[int], None] = lambda _: None) -> Summary:
    """Write what the modules add to the alerts of a source.

    Parameters
    ----------
    source : Source
        Where alerts come from.
    target : Target
        Where rows go; nothing is there until all is.
    plan : Plan
        What is done.
    report : callable
        Called with the number of bytes each step has read.

    Raises
    ------
    UserError
        When the source is not what it should be.
    OperationError
        When not one alert could be read, or the output cannot be written.
    """
    summary, switches = Summary(), Switches(for_good=True)
    with written(target, schemas(plan.survey, plan.modules)) as rows:
        for chunk in chunks(source, plan.alert, report):
            _take(chunk, plan, rows, summary, switches)
        if summary.quarantined and not summary.read:
            first = summary.examples[0]
            message = (
                f"source {source.name!r}: must hold alerts of {plan.survey.name} that can be read; got "
                f"{summary.quarantined.total()} damaged, first {first.place.source!r}: {first.text}; nothing is written"
            )
            raise OperationError(message)
    return summary


def _take(chunk: Chunk, plan: Plan, rows: dict[str, Rows], summary: Summary, switches: Switches) -> None:
    frame = frame_of(chunk.alerts, plan.alert, plan.paths)
    wrong = _incomplete(frame, plan.survey)
    damaged = [*chunk.damaged, *(Damaged(chunk.places[row], *wrong[row]) for row in sorted(wrong))]
    frame = frame.drop(index=list(wrong))
    reasons = rejection(frame, plan.cuts)
    _quarantine(damaged, rows[QUARANTINED], summary)
    who = [plan.survey.object_identifier, plan.survey.identifier]
    out = reasons.notna()
    if out.any():
        rows[REJECTED].add({**frame.loc[out, who], "reason": reasons[out]})
        summary.rejected.update(reasons[out])
    if not out.all():
        science = frame[~out].reset_index(drop=True)
        ran = run_modules(science, plan.modules, processes(), switches.off())
        switches.learn(tallies_of(ran))
        rows[ENRICHED].add(enriched_columns(science[who], ran, plan.modules))
        _count(ran, summary)


def _incomplete(frame: pd.DataFrame, survey: Survey) -> dict[int, tuple[str, str]]:
    """Return code and sentence of alerts the platform would not take, by row: no identifier, no time, or no night's."""
    wrong: dict[int, tuple[str, str]] = {}
    time = frame[survey.night_rule.field].to_numpy(dtype=np.float64, na_value=np.nan) - survey.night_rule.zero
    for row in np.flatnonzero(~((time >= 0) & (time < LAST_DAY))):
        wrong[int(row)] = ("night", f"message: {survey.night_rule.field} must be a time between 1970 and 2200")
    for path in survey.never_null:
        for row in np.flatnonzero(frame[path].isna()):
            wrong[int(row)] = ("missing_value", f"message: {path} must have a value; it is null")
    return wrong


def _quarantine(damaged: Sequence[Damaged], rows: Rows, summary: Summary) -> None:
    if damaged:
        rows.add(quarantined_columns(damaged))
        summary.quarantined.update(each.code for each in damaged)
        summary.examples += damaged[: EXAMPLES - len(summary.examples)]


def _count(ran: Ran, summary: Summary) -> None:
    summary.science += len(ran.columns)
    for status in ran.status:
        summary.failures.update(status.items())
    for name, failure in ran.failures.items():
        summary.sentences.setdefault((name, failure.code), failure.text)
