"""Evaluating all filters over a table of alerts in one pass, each isolated from the others.

A filter is asked as a science module with one boolean output is: one that fails gets each half of the alerts, so that
an alert it cannot judge costs no other its verdict, and the next filter is asked as if nothing had been. No filter is
known by name here, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd

from fink_dagster.filters.filter import ALONE, WORKER
from fink_dagster.science.failure import WRONG_SHAPE, WRONG_TYPE
from fink_dagster.science.isolation import processes
from fink_dagster.science.module import Module, Output, Unavailable
from fink_dagster.science.run import in_this_process, run_modules
from fink_dagster.science.switches import Tally, tallies_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from fink_dagster.filters.filter import Filter
    from fink_dagster.science.answers import Answer

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Verdicts:
    """What filters say of some alerts.

    Parameters
    ----------
    passed : list of list of str
        Of each alert the filters it passes, in the order in which they were asked.
    failed : list of dict
        Of each alert the filters that could not judge it, and why; it passes none of these.
    tallies : dict
        What came of asking each filter.
    """

    passed: list[list[str]]
    failed: list[dict[str, str]]
    tallies: dict[str, Tally]


def judge(frame: pd.DataFrame, filters: Sequence[Filter], off: Mapping[str, str] = _NONE) -> Verdicts:
    """Tell which filters each alert passes.

    Parameters
    ----------
    frame : DataFrame
        One row per alert; columns are named by the filters' inputs.
    filters : sequence of Filter
        Evaluated in this order, each where it says it runs.
    off : mapping
        Filters that are switched off -> why: they are not asked, and count as failed.
    """
    process = {item.name: item.process for item in filters}

    def call(module: Module, columns: Sequence[pd.Series], number: int) -> Answer:
        ask = in_this_process if process[module.name] == WORKER else processes()
        return ask(module, columns, number)

    ran = run_modules(frame, [_as_module(item) for item in filters], call, off)
    verdicts = {item.name: ran.columns[_column(item)].to_numpy(dtype=bool, na_value=False) for item in filters}
    rows = range(len(frame))
    passed = [[name for name, verdict in verdicts.items() if verdict[row]] for row in rows]
    failed = [{name: ran.failures[name].text for name in status} for status in ran.status]
    return Verdicts(passed, failed, tallies_of(ran))


@dataclass(frozen=True)
class _Predicate:
    """A filter's predicate as the function of a module: one boolean per alert, a null is no yes."""

    function: Callable[..., Any]

    def __call__(self, *columns: pd.Series) -> np.ndarray:
        given, number = self.function(*columns), len(columns[0])
        if not pd.api.types.is_list_like(given):
            raise Unavailable(WRONG_TYPE, f"must give one boolean per alert; got {type(given).__name__}")
        verdict = pd.Series(given)
        if len(verdict) != number:
            raise Unavailable(WRONG_SHAPE, f"must give {number} verdicts; got {len(verdict)}")
        if verdict.dtype == object:
            try:
                verdict = verdict.astype("boolean")
            except (TypeError, ValueError) as error:
                raise Unavailable(WRONG_TYPE, f"must give booleans; {error}") from None
        if not pd.api.types.is_bool_dtype(verdict.dtype):
            raise Unavailable(WRONG_TYPE, f"must give booleans; got {verdict.dtype}")
        mask: np.ndarray = verdict.to_numpy(dtype=bool, na_value=False)
        return mask


def _as_module(item: Filter) -> Module:
    return Module(
        name=item.name,
        version=item.version,
        inputs=item.inputs,
        outputs=(Output(_column(item), "boolean", "", item.description),),
        function=_Predicate(item.predicate),
        owner=item.owner,
        limits=item.limits,
        alone=item.process == ALONE,
    )


def _column(item: Filter) -> str:
    # No column is called so, and none can be taken for an input of another filter.
    return f"passes {item.name}"
