"""Evaluating all filters over a table of alerts in one pass, each isolated from the others.

No filter is known by name here, and nothing is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.filters.filter import Filter

REASON_CHARACTERS = 300


def passing(frame: pd.DataFrame, filters: Sequence[Filter]) -> tuple[list[list[str]], dict[str, str]]:
    """Tell which filters each alert passes.

    Parameters
    ----------
    frame : DataFrame
        One row per alert; columns are named by the filters' inputs.
    filters : sequence of Filter
        Evaluated in this order.

    Returns
    -------
    list of list of str
        Names of the filters passed, for each row, in the order of ``filters``.
    dict
        Reason of each failed filter by name: nothing passes it, and the others are not touched.
    """
    names: list[list[str]] = [[] for _ in range(len(frame))]
    failed: dict[str, str] = {}
    for item in filters:
        try:
            rows = np.flatnonzero(_mask(item, frame))
        except Exception as error:  # noqa: BLE001 - a filter is anybody's code and may raise anything
            failed[item.name] = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS]
            continue
        for row in rows:
            names[row].append(item.name)
    return names, failed


def _mask(item: Filter, frame: pd.DataFrame) -> np.ndarray:
    """Return one boolean per row, by position; a null is False."""
    absent = [path for path in item.inputs if path not in frame.columns]
    if absent:
        message = f"needs {absent[0]!r}, and the alerts have no such column"
        raise ValueError(message)
    # Copies: what a filter does to its input must not reach the next one.
    verdict = pd.Series(item.predicate(*(frame[path].copy() for path in item.inputs)))
    if len(verdict) != len(frame):
        message = f"must give {len(frame)} verdicts; got {len(verdict)}"
        raise ValueError(message)
    boolean = verdict.astype("boolean") if verdict.dtype == object else verdict
    if not pd.api.types.is_bool_dtype(boolean.dtype):
        message = f"must give booleans; got {verdict.dtype}"
        raise ValueError(message)
    return boolean.to_numpy(dtype=bool, na_value=False)
