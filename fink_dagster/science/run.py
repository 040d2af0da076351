"""Running science modules over a table of alerts, each isolated from the others.

A module that fails leaves nulls in its own columns and a code; the others run as if it were not there. No module is
known by name here, and nothing is read or written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.answers import WRONG_TYPE, checked, nulls
from fink_dagster.science.module import NO_CATALOGUE, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.science.answers import Answer
    from fink_dagster.science.module import Module

STATUS, VERSIONS = "science_status", "science_versions"
"""Columns beside the modules' own: module -> code where it failed, module -> version."""
TEXT_CHARACTERS = 300
RAISED, NOT_A_NUMBER, NO_INPUT = "raised", "nan", "no_input"
_OF_ONE_ALERT = (RAISED, WRONG_TYPE)
"""What may be the fault of one alert among many."""
MOST_CALLS = 64
"""For the alerts of one batch: three bad ones among 500 are found with that; a module that always fails ends soon."""


@dataclass(frozen=True)
class Failure:
    """Why a module gave nothing: a code for the alert, and a sentence for whoever looks after the module."""

    code: str
    text: str

    @property
    def is_fault(self) -> bool:
        """Whether somebody should look at it: not where a catalogue was never there, or another module is at fault."""
        return self.code not in {NO_CATALOGUE, NO_INPUT}


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
    seconds : dict
        Processor time each module took [s].
    """

    columns: pd.DataFrame
    status: pd.Series
    failures: dict[str, Failure]
    seconds: dict[str, float]


def run_modules(frame: pd.DataFrame, modules: Sequence[Module]) -> Ran:
    """Run modules over alerts.

    On an alert where a module failed, those that need its output fail too: a value computed from the absence of
    another would be a failure stored as data.

    Parameters
    ----------
    frame : DataFrame
        One row per alert; columns are named by the modules' dotted inputs, array inputs hold an array or None.
    modules : sequence of Module
        In an order that respects their needs, as :func:`~fink_dagster.science.registry.modules` gives them.
    """
    run = _Run(frame)
    seconds = {}
    for module in modules:
        start = time.process_time()
        run.add(module)
        seconds[module.name] = time.process_time() - start
    columns = {name: column.array for name, column in run.added.items()}
    return Ran(pd.DataFrame(columns, index=frame.index), run.status(), run.failures, seconds)


class _Run:
    """The columns so far, and on which alerts which module failed."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.added: dict[str, pd.Series] = {}
        self.failures: dict[str, Failure] = {}
        self._frame = frame
        self._codes: dict[str, np.ndarray] = {}
        self._maker: dict[str, str] = {}

    def add(self, module: Module) -> None:
        number = len(self._frame)
        columns = {out.name: nulls(out, number) for out in module.outputs}
        codes: np.ndarray = np.full(number, "", dtype=object)
        if self._lacks(module):
            codes[:] = NO_INPUT
        else:
            codes[self._lost(module)] = NO_INPUT
            self._ask(module, np.flatnonzero(self._wanted(module) & (codes == "")), columns, codes)
        self.added |= columns
        self._maker |= {out.name: module.name for out in module.outputs}
        self._codes[module.name] = codes

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
        waiting, calls = [rows] if len(rows) else [], 0
        while waiting:
            some, calls = waiting.pop(), calls + 1
            try:
                answer = self._answer(module, some)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - anybody's code: it may end the process, or panic in Rust
                failure = self.failures[module.name] = _failure(error)
                if len(some) > 1 and failure.code in _OF_ONE_ALERT and calls < MOST_CALLS:
                    waiting += np.array_split(some, 2)
                else:
                    codes[some] = failure.code
                continue
            if answer.wrong.any():
                self.failures[module.name] = Failure(NOT_A_NUMBER, f"gave NaN for {int(answer.wrong.sum())} alerts")
                codes[some[answer.wrong]] = NOT_A_NUMBER
            for name, values in answer.columns.items():
                columns[name].iloc[some] = values
                columns[name].iloc[some[answer.wrong]] = None

    def _answer(self, module: Module, rows: np.ndarray) -> Answer:
        paths = (*module.inputs, *module.optional)
        result = module.function(*(_copied(self._column(path).iloc[rows]) for path in paths))
        return checked(result, module, len(rows))

    def _column(self, path: str) -> pd.Series:
        if path not in self.added and path not in self._frame.columns:
            return pd.Series([None] * len(self._frame), dtype=object)
        column = self.added[path] if path in self.added else self._frame[path]
        return column.reset_index(drop=True)


def _copied(column: pd.Series) -> pd.Series:
    """Return a copy, cells of arrays included: what a module does to its input must not reach the next one."""
    column = column.reset_index(drop=True)
    if column.dtype != object:
        return column.copy()
    cells = [cell.copy() if isinstance(cell, np.ndarray) else cell for cell in column]
    return pd.Series(cells, dtype=object)


def _failure(error: BaseException) -> Failure:
    if isinstance(error, Unavailable):
        return Failure(error.code, str(error)[:TEXT_CHARACTERS])
    return Failure(RAISED, f"{type(error).__name__}: {error}"[:TEXT_CHARACTERS])
