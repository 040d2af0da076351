"""The light curve of an alert as filters see it: its history and, last, the alert itself.

Only the way from columns to points; what is looked for in them is said by the filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.science.columns import history_lengths, is_positive, joined_histories, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

Curve = tuple[np.ndarray, ...]


def paths(*fields: str) -> tuple[str, ...]:
    """Return the inputs :func:`curves` takes: the fields of the alert, then those of its history."""
    return (*(f"candidate.{field}" for field in fields), *(f"prv_candidates.{field}" for field in fields))


def curves(columns: Sequence[pd.Series], wanted: np.ndarray) -> Iterator[tuple[int, Curve]]:
    """Yield the light curves of some alerts: one array per field, NaN for what was not measured.

    Parameters
    ----------
    columns : sequence of Series
        As :func:`paths` names them: numbers of the alert, then arrays of its history.
    wanted : array of bool
        Which alerts.

    Yields
    ------
    tuple
        Position of the alert, and its fields in order.
    """
    half = len(columns) // 2
    rows = np.flatnonzero(wanted)
    now = [numbers(column.iloc[rows]) for column in columns[:half]]
    before = [column.iloc[rows] for column in columns[half:]]
    lengths = history_lengths(before)
    ends = np.cumsum(lengths)
    joined = [joined_histories(field, lengths) for field in before]
    for place, row in enumerate(rows.tolist()):
        cut = slice(ends[place] - lengths[place], ends[place])
        yield row, tuple(np.append(field[cut], own[place]) for field, own in zip(joined, now, strict=True))


def signs(now: pd.Series, before: pd.Series, row: int, points: int) -> np.ndarray:
    """Return of one alert in which of its points it is brighter than the reference; a history without says no."""
    history = [None] * (points - 1) if before.iloc[row] is None else list(before.iloc[row])
    return is_positive(np.array([*history, now.iloc[row]], dtype=object))
