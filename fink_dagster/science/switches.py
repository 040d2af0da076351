"""Science modules that fail batch after batch are switched off for a while, then tried again.

Told of every batch, it decides which modules the next one is not to ask: a module that runs into its time limit again
and again would cost every batch that time. What a module gave is ``run``'s; this counts.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from fink_dagster.science.failure import TIMEOUT, is_broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fink_dagster.science.run import Ran

BATCHES_ALLOWED = 3
"""In a row in which a module gave nothing, or had to be stopped."""
LEAST_ALERTS = 50
"""On which it failed in these batches, where it did not have to be stopped: three unlucky alerts are no reason."""
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 1800.0


@dataclass(frozen=True)
class Tally:
    """What came of asking a module in a batch, or in a part of one.

    Parameters
    ----------
    asked : int
        For how many alerts.
    broken : int
        For how many of them it did not work.
    late : bool
        Whether it had to be stopped because of its time limit.
    text : str
        What was wrong, in one sentence; empty when nothing was.
    """

    asked: int = 0
    broken: int = 0
    late: bool = False
    text: str = ""

    def __add__(self, other: Tally) -> Tally:
        """Return what came of both parts; the newer sentence stands."""
        return Tally(
            self.asked + other.asked, self.broken + other.broken, self.late or other.late, other.text or self.text
        )

    @property
    def failed(self) -> bool:
        """Whether the module as a whole failed."""
        return self.late or 0 < self.asked == self.broken


def tallies_of(ran: Ran) -> dict[str, Tally]:
    """Return the tally of each module that ran."""
    found = {}
    for name, asked in ran.asked.items():
        codes = [status[name] for status in ran.status if name in status]
        failure = ran.failures.get(name)
        text = failure.text if failure is not None and failure.is_fault else ""
        found[name] = Tally(asked, sum(map(is_broken, codes)), TIMEOUT in codes, text)
    return found


@dataclass
class _Record:
    """Of a module that failed lately: batches in a row and what came of them, how long it is off [s], till when."""

    failed: int = 0
    tally: Tally = Tally()
    pause: float = 0.0
    until: float = 0.0
    sentence: str = ""


class Switches:
    """Which modules are switched off.

    Parameters
    ----------
    clock : callable
        The time (monotonic [s]).
    for_good : bool
        Whether only modules that had to be stopped are switched off, and never asked again: what becomes of a file must
        not depend on how quick the machine is.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, for_good: bool = False) -> None:
        self._clock = clock
        self._for_good = for_good
        self._records: dict[str, _Record] = {}

    def off(self) -> dict[str, str]:
        """Return the modules the next batch is not to ask, and why."""
        now = self._clock()
        return {name: record.sentence for name, record in self._records.items() if now < record.until}

    def learn(self, tallies: Mapping[str, Tally]) -> None:
        """Take note of a batch; a module that was not asked stays as it is."""
        for name, tally in tallies.items():
            if tally.late or (tally.failed and not self._for_good):
                self._failed(name, tally)
            elif tally.asked:
                self._records.pop(name, None)

    def _failed(self, name: str, tally: Tally) -> None:
        record = self._records.setdefault(name, _Record())
        record.failed, record.tally = record.failed + 1, record.tally + tally
        if record.failed < BATCHES_ALLOWED or not (record.tally.late or record.tally.broken >= LEAST_ALERTS):
            return
        record.pause = inf if self._for_good else min(2 * record.pause or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        record.until = self._clock() + record.pause
        why = f"switched off, as it failed in {record.failed} batches in a row"
        record.sentence = f"{why}; {_again(record.pause)}; {record.tally.text}"


def _again(pause: float) -> str:
    if pause == inf:
        return "not asked again for this file"
    return f"asked again at {dt.datetime.now(dt.UTC) + dt.timedelta(seconds=pause):%H:%M:%S} UTC"
