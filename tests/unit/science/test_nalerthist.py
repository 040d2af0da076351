from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.nalerthist import MODULE


@pytest.mark.parametrize(
    ("magnitude", "history", "expected"),
    [
        (18.0, [17.0, 17.5], 3),
        (18.0, [np.nan, 17.5], 2),
        (18.0, None, 1),
        (18.0, [], 1),
        (np.nan, [np.nan], 0),
        (None, [17.0], 1),
    ],
)
def test_upper_limits_and_absent_magnitudes_do_not_count(
    magnitude: float | None, history: list[float] | None, expected: int
) -> None:
    cell = None if history is None else np.array(history)
    counted = MODULE.function(pd.Series([magnitude], dtype=object), pd.Series([cell], dtype=object))
    assert counted.tolist() == [expected]
    assert counted.dtype == np.int32


def test_nulls_inside_an_array_do_not_count() -> None:
    history = pd.Series([np.array([None, 17.0], dtype=object)], dtype=object)
    assert MODULE.function(pd.Series([18.0]), history).tolist() == [2]


def test_no_alerts_give_no_counts() -> None:
    assert MODULE.function(pd.Series([], dtype="float32"), pd.Series([], dtype=object)).tolist() == []
