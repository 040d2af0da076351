"""Running science modules over a table of alerts, each isolated from the others.

A module that fails leaves nulls in its own columns and a reason; the others run as if it were not there. No module is
known by name here, and nothing is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.module import PANDAS_TYPES, Module, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

REASON_CHARACTERS = 300


def run_modules(frame: pd.DataFrame, modules: Sequence[Module]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Run modules over alerts.

    Parameters
    ----------
    frame : DataFrame
        One row per alert; columns are named by the modules' dotted inputs, array inputs hold an array or None.
    modules : sequence of Module
        In an order that respects their needs, as :func:`~fink_dagster.science.registry.modules` gives them.

    Returns
    -------
    DataFrame
        The modules' outputs in order, with ``frame``'s index and nullable types (``Int32`` and so on).
    dict
        Reason of each failed module by name; its columns are null. A module that needs the output of a failed one
        fails too: a value computed from the absence of another would be a failure stored as data.
    """
    added: dict[str, pd.Series] = {}
    failed: dict[str, str] = {}
    lost: dict[str, str] = {}
    for module in modules:
        try:
            columns = _run(module, frame, added, lost)
        except Exception as error:  # noqa: BLE001 - a module is anybody's code and may raise anything
            failed[module.name] = _reason(error)
            lost |= {output.name: module.name for output in module.outputs}
            columns = {output.name: _nulls(output, frame) for output in module.outputs}
        added |= columns
    return pd.DataFrame(added, index=frame.index), failed


def _run(
    module: Module, frame: pd.DataFrame, added: dict[str, pd.Series], lost: dict[str, str]
) -> dict[str, pd.Series]:
    inputs = [_input(path, frame, added, lost) for path in module.inputs]
    result = module.function(*inputs)
    if isinstance(result, pd.DataFrame):
        return {output.name: _typed(result[output.name], output, frame) for output in module.outputs}
    (only,) = module.outputs
    return {only.name: _typed(result, only, frame)}


def _input(path: str, frame: pd.DataFrame, added: dict[str, pd.Series], lost: dict[str, str]) -> pd.Series:
    """Return a copy, cells of arrays included: what a module does to its input must not reach the next one."""
    if path in lost:
        message = f"needs {path!r}, and module {lost[path]} failed"
        raise ValueError(message)
    if path not in added and path not in frame.columns:
        message = f"needs {path!r}, and the alerts have no such column"
        raise ValueError(message)
    column = added[path] if path in added else frame[path]
    if column.dtype != object:
        return column.copy()
    cells = [cell.copy() if isinstance(cell, np.ndarray) else cell for cell in column]
    return pd.Series(cells, index=column.index, dtype=object)


def _typed(column: pd.Series | np.ndarray, output: Output, frame: pd.DataFrame) -> pd.Series:
    """Return a column in its declared type; values are taken by position, whatever index the module made up."""
    if len(column) != len(frame):
        message = f"{output.name!r} must have {len(frame)} values; got {len(column)}"
        raise ValueError(message)
    values = column.array if isinstance(column, pd.Series) else column
    return pd.Series(values, index=frame.index).astype(pd.api.types.pandas_dtype(PANDAS_TYPES[output.type]))


def _nulls(output: Output, frame: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=frame.index, dtype=PANDAS_TYPES[output.type])


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
