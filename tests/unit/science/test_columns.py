from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.science.columns import history_lengths, is_positive, joined_histories

HISTORIES = st.lists(st.none() | st.lists(st.floats(), max_size=5), max_size=6)


def _field(*cells: list[object] | None, kind: type = np.float64) -> pd.Series:
    return pd.Series([None if cell is None else np.array(cell, dtype=kind) for cell in cells], dtype=object)


@given(HISTORIES)
def test_histories_stand_one_after_another_in_the_order_of_their_alerts(histories: list[list[float] | None]) -> None:
    field = _field(*histories)
    lengths = history_lengths([field])
    assert lengths.tolist() == [len(history or ()) for history in histories]
    expected = [value for history in histories for value in history or ()]
    np.testing.assert_array_equal(joined_histories(field, lengths), np.array(expected, dtype=np.float64))


@pytest.mark.parametrize("other", [None, [], [7.0], [7.0, 8.0]])
def test_a_field_shorter_than_its_history_is_null_in_every_point_and_disturbs_no_other(
    other: list[object] | None,
) -> None:
    jd, short = _field([1.0], [2.0, 3.0, 4.0], [5.0]), _field([6.0], other, [9.0])
    lengths = history_lengths([jd, short])
    assert lengths.tolist() == history_lengths([short, jd]).tolist() == [1, 3, 1]
    assert joined_histories(jd, lengths).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    np.testing.assert_array_equal(joined_histories(short, lengths), [6.0, np.nan, np.nan, np.nan, 9.0])
    text = _field(["t"], None, ["f"], kind=object)
    assert joined_histories(text, lengths, object).tolist() == ["t", None, None, None, "f"]


def test_no_alerts_have_no_points() -> None:
    assert history_lengths([_field(), _field()]).tolist() == []
    assert joined_histories(_field(), history_lengths([_field()])).tolist() == []


@pytest.mark.parametrize("kind", ["object", "string"])
def test_a_source_is_brighter_in_the_surveys_two_ways_of_saying_it_or_in_a_modules(kind: str) -> None:
    said = pd.Series(["t", "1", "true", "f", "0", "", None], dtype=kind)
    assert is_positive(said).tolist() == [True] * 2 + [False] * 5
    assert is_positive(said, ("true",)).tolist() == [False, False, True] + [False] * 4
    assert is_positive(np.array(["t", None], dtype=object)).tolist() == [True, False]
