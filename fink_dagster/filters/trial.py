"""What came of trying a filter on a past night, and whether trials speak for it.

The rule only. Filters are tried in ``stages.trial``, trials are kept in ``lake.filters``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.filters.filter import Filter


@dataclass(frozen=True)
class Trial:
    """One version of a filter on one night.

    Parameters
    ----------
    filter, version : str
        Which filter.
    night : str
        Which night.
    alerts : int
        Science alerts of the night; each was judged.
    passed, failed : int
        How many of them it passed, and on how many it failed.
    error : str
        Why it failed on the last of these; empty when it did not.
    examples : tuple of int
        Identifiers of a few alerts that passed.
    """

    filter: str
    version: str
    night: str
    alerts: int
    passed: int
    failed: int
    error: str = ""
    examples: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """Which part of the alerts passed; 0 without alerts."""
        return self.passed / self.alerts if self.alerts else 0.0


def together(trials: Sequence[Trial]) -> tuple[int, int]:
    """Return how many alerts passed in all, of how many."""
    return sum(trial.passed for trial in trials), sum(trial.alerts for trial in trials)


def fault_in(item: Filter, trials: Sequence[Trial], limit: float) -> str:
    """Return why a filter may not be activated: what must be; got what; what to do. Empty when it may.

    Parameters
    ----------
    item : Filter
        The filter as it is now; trials of its other versions do not count.
    trials : sequence of Trial
        The newest of each night.
    limit : float
        The largest share of alerts it may pass, taken over all nights together.
    """
    mine = sorted((trial for trial in trials if _is_of(item, trial)), key=lambda trial: trial.night)
    passed, alerts = together(mine)
    if not alerts:
        others = sorted({trial.version for trial in trials if trial.filter == item.name})
        got = f"trials of version {', '.join(others)} alone" if others else "no trial"
        return f"must have been tried on a night; got {got}; run `fink-dagster filters try {item.name} --nights A..B`"
    failed = [trial for trial in mine if trial.failed]
    if failed:
        worst = failed[-1]
        got = f"{worst.failed} of {worst.alerts} of night {worst.night}: {worst.error}"
        return f"must fail on no alert it is tried on; got {got}; correct it and try it again"
    if passed / alerts > limit:
        nights = "one night" if len(mine) == 1 else f"{len(mine)} nights"
        return (
            f"must pass at most {limit:.2%} of the alerts; got {passed / alerts:.2%}, {passed} of {alerts} on "
            f"{nights}; narrow it, or give --limit if it is meant to pass so many"
        )
    return ""


def _is_of(item: Filter, trial: Trial) -> bool:
    return (trial.filter, trial.version) == (item.name, item.version)
