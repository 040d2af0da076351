"""Running science modules over a table of alerts, so that none spoils what another gives.

A module that fails leaves nulls in its own columns and a code; the others run as if it were not there. No module is
known by name here, and nothing is read or written. In which process a module is called is ``isolation``'s.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.answers import Answer, answer_of, nulls
from fink_dagster.science.failure import (
    CRASHED,
    NO_INPUT,
    NOT_A_NUMBER,
    OUT_OF_MEMORY,
    RAISED,
    SWITCHED_OFF,
    TIMEOUT,
    WRONG_TYPE,
    Failure,
    failure_of,
)
from fink_dagster.science.module import MOST_ALERTS, NO_CATALOGUE, Module, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS, VERSIONS = "science_status", "science_versions"
"""Columns beside the modules' own: module -> code where it failed, module -> version."""
MOST_FAILURES = 64
"""In one batch, before its alerts are given up: three bad ones among 500 are found with that."""
_OF_ONE_ALERT = (RAISED, WRONG_TYPE, CRASHED, OUT_OF_MEMORY)
"""What may be the fault of one alert among many; a call that takes too long is not made again for each half."""

_WEIGHT = {CRASHED: 4, OUT_OF_MEMORY: 4}
"""How many failures such a one counts for: its process must be started anew."""
_NONE: Mapping[str, str] = MappingProxyType({})

Call = Callable[[Module, Sequence[pd.Series], int], Answer]
"""How a module is asked: as :func:`~fink_dagster.science.answers.answer_of`, but raising Unavailable alone."""


@dataclass(frozen=True)
class Ran:
    """What came of running modules.

    Parameters
    ----------
    columns : DataFrame
        The modules' outputs in order, with the alerts' index and nullable types (``Int32`` and so on).
    status : Series
        For each alert, module -> code of those that failed on it; their cells are null.
    failures : dict
        What went wrong, by module, for all alerts or only some.
    asked : dict
        How many alerts each module was asked for.
    seconds : dict
        Processor time each module took [s].
    """

    columns: pd.DataFrame
    status: pd.Series
    failures: dict[str, Failure]
    asked: dict[str, int]
    seconds: dict[str, float]


def in_this_process(module: Module, columns: Sequence[pd.Series], number: int) -> Answer:
    """Ask a module here: quick and simple, for tests and measurements; what it harms, it harms here.

    Raises
    ------
    Unavailable
        When it gave nothing, with the code of its failure.
    """
    try:
        return answer_of(module, [_copied(column) for column in columns], number)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failure = failure_of(error)
        raise Unavailable(failure.code, failure.text) from error


def run_modules(
    frame: pd.DataFrame, modules: Sequence[Module], call: Call = in_this_process, off: Mapping[str, str] = _NONE
) -> Ran:
    """Run modules over alerts.

    On an alert where a module failed, those that need its output fail too: a value computed from the absence of
    another would be a failure stored as data.

    Parameters
    ----------
    frame : DataFrame
        One row per alert; columns are named by the modules' dotted inputs, array inputs hold an array or None.
    modules : sequence of Module
        In an order that respects their needs, as :func:`~fink_dagster.science.registry.modules` gives them.
    call : callable
        How a module is asked; :func:`~fink_dagster.science.isolation.processes` gives the one for what is to last.
    off : mapping
        Modules that are switched off -> why: they are not asked, and their cells say so.
    """
    run = _Run(frame, call)
    for module in modules:
        run.add(module, off.get(module.name))
    columns = {name: column.array for name, column in run.added.items()}
    return Ran(pd.DataFrame(columns, index=frame.index), run.status(), run.failures, run.asked, run.seconds)


class _Run:
    """The columns so far, and on which alerts which module failed."""

    def __init__(self, frame: pd.DataFrame, call: Call) -> None:
        self.added: dict[str, pd.Series] = {}
        self.failures: dict[str, Failure] = {}
        self.asked: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self._frame = frame
        self._call = call
        self._codes: dict[str, np.ndarray] = {}
        self._maker: dict[str, str] = {}

    def add(self, module: Module, why_off: str | None) -> None:
        number = len(self._frame)
        columns = {out.name: nulls(out, number) for out in module.outputs}
        codes: np.ndarray = np.full(number, "", dtype=object)
        start, self.asked[module.name], self.seconds[module.name] = time.process_time(), 0, 0.0
        if why_off is not None:
            codes[:] = SWITCHED_OFF
            self.failures[module.name] = Failure(SWITCHED_OFF, why_off)
        elif self._lacks(module):
            codes[:] = NO_INPUT
        else:
            codes[self._lost(module)] = NO_INPUT
            wanted = np.flatnonzero(self._wanted(module) & (codes == ""))
            self.asked[module.name] = len(wanted)
            self._ask(module, wanted, columns, codes)
        self.added |= columns
        self._maker |= {out.name: module.name for out in module.outputs}
        self._codes[module.name] = codes
        self.seconds[module.name] += time.process_time() - start

    def status(self) -> pd.Series:
        """Return, for each alert, module -> code of those that failed on it."""
        marks = {name: codes for name, codes in self._codes.items() if (codes != "").any()}
        cells = [{name: codes[row] for name, codes in marks.items() if codes[row]} for row in range(len(self._frame))]
        return pd.Series(cells, index=self._frame.index, dtype=object)

    def _lacks(self, module: Module) -> bool:
        """Tell whether something a module needs is not there at all, and say so."""
        for path in module.needs:
            if path not in self.added and path not in self._frame.columns:
                text = f"needs {path!r}, and the alerts have no such column"
                self.failures[module.name] = Failure(NO_INPUT, text)
                return True
        return False

    def _lost(self, module: Module) -> np.ndarray:
        """Return on which alerts another module did not give what this one looks at, and say so.

        What is optional may be absent, as a catalogue; a module at fault is another matter.
        """
        lost: np.ndarray = np.zeros(len(self._frame), dtype=bool)
        for path in module.reads:
            if path in self._maker:
                allowed = ("", NO_CATALOGUE) if path in module.optional else ("",)
                failed = ~np.isin(self._codes[self._maker[path]].astype(str), allowed)
                if failed.any():
                    lost |= failed
                    text = f"needs {path!r}, and module {self._maker[path]} failed"
                    self.failures[module.name] = Failure(NO_INPUT, text)
        return lost

    def _wanted(self, module: Module) -> np.ndarray:
        if not module.where:
            return np.ones(len(self._frame), dtype=bool)
        wanted: np.ndarray = self._column(module.where).to_numpy(dtype=bool, na_value=False)
        return wanted

    def _ask(self, module: Module, rows: np.ndarray, columns: dict[str, pd.Series], codes: np.ndarray) -> None:
        """Put some alerts to a module; where it fails it gets each half, so that no alert costs another its values."""
        given = [self._column(path) for path in (*module.inputs, *module.optional)]
        waiting, patience = _split(rows, math.ceil(len(rows) / MOST_ALERTS)), _Patience(module.limits.seconds)
        while waiting:
            some = waiting.pop()
            began = time.monotonic()
            try:
                answer = self._call(module, [column.iloc[some] for column in given], len(some))
            except Unavailable as error:
                failure = self.failures[module.name] = failure_of(error)
                patience.lose(failure, time.monotonic() - began)
                if len(some) > 1 and failure.code in _OF_ONE_ALERT and patience.is_left:
                    waiting += _split(some, 2)
                else:
                    codes[some] = failure.code
                if patience.is_over:
                    codes[np.concatenate([some, *waiting])] = failure.code
                    return
                continue
            self.seconds[module.name] += answer.seconds
            self._take(module, some, answer, columns, codes)

    def _take(
        self, module: Module, rows: np.ndarray, answer: Answer, columns: dict[str, pd.Series], codes: np.ndarray
    ) -> None:
        if answer.wrong.any():
            self.failures[module.name] = Failure(NOT_A_NUMBER, f"gave NaN for {int(answer.wrong.sum())} alerts")
            codes[rows[answer.wrong]] = NOT_A_NUMBER
        for name, values in answer.columns.items():
            columns[name].iloc[rows] = values
            columns[name].iloc[rows[answer.wrong]] = None

    def _column(self, path: str) -> pd.Series:
        if path not in self.added and path not in self._frame.columns:
            return pd.Series([None] * len(self._frame), dtype=object)
        column = self.added[path] if path in self.added else self._frame[path]
        return column.reset_index(drop=True)


class _Patience:
    """How often and how long a module may fail on a batch before it is not asked for each half any more, or at all.

    Parameters
    ----------
    seconds : float
        Time failed calls may take together, which is that of one call [s].
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._seconds = seconds
        self._failures = MOST_FAILURES

    @property
    def is_left(self) -> bool:
        return self._failures > 0 and not self.is_over

    def lose(self, failure: Failure, seconds: float) -> None:
        self._failures -= _WEIGHT.get(failure.code, 1)
        self._seconds -= seconds
        self.is_over = self._seconds <= 0 or failure.code == TIMEOUT


def _copied(column: pd.Series) -> pd.Series:
    """Return a copy, cells of arrays included: what a module does to its input must not reach the next one."""
    column = column.reset_index(drop=True)
    if column.dtype != object:
        return column.copy()
    cells = [cell.copy() if isinstance(cell, np.ndarray) else cell for cell in column]
    return pd.Series(cells, dtype=object)


def _split(rows: np.ndarray, parts: int) -> list[np.ndarray]:
    return np.array_split(rows, parts) if len(rows) else []
