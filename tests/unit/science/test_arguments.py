"""What a processor of fink-science is given, against what Spark hands to a pandas UDF."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.science.arguments import Argument, Constant, Field, MapOf, WithHistory

FLOAT32, FLOAT64, INT32, INT64 = (np.dtype(name) for name in ("float32", "float64", "int32", "int64"))
NO_ARRAY = np.dtype(object)


def _column(argument: Argument, **columns: Any) -> pd.Series:
    frame = pd.DataFrame({name.replace("__", "."): pd.Series(cells) for name, cells in columns.items()})
    return argument.column(frame[list(argument.paths)])


def _cells(*cells: Any) -> pd.Series:
    made = [
        None if cell is None else np.array(cell, dtype=object if isinstance(cell, tuple) else None) for cell in cells
    ]
    return pd.Series(made, dtype=object)


def _joined(history: pd.Series, now: pd.Series) -> list[np.ndarray]:
    return list(_column(WithHistory("x"), prv_candidates__x=history, candidate__x=now))


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (pd.Series([1.5, np.nan], dtype="float32"), FLOAT32, [1.5, None]),
        (pd.Series([1.5, pd.NA], dtype="Float64"), FLOAT64, [1.5, None]),
        (pd.Series([1, 2], dtype="Int32"), INT32, [1, 2]),
        (pd.Series([1, pd.NA], dtype="Int32"), FLOAT64, [1.0, None]),
        (pd.Series([True, False], dtype="boolean"), np.dtype(bool), [True, False]),
        (pd.Series([True, pd.NA], dtype="boolean"), NO_ARRAY, [True, None]),
        (pd.Series(["a", None], dtype="string"), NO_ARRAY, ["a", None]),
        (pd.Series(["a", None], dtype=object), NO_ARRAY, ["a", None]),
        (pd.Series([b"stamp", None], dtype=object), NO_ARRAY, [b"stamp", None]),
        (pd.Series([2**60 + 1], dtype="int64"), INT64, [2**60 + 1]),
    ],
)
def test_a_column_comes_as_spark_types_it(cells: pd.Series, kind: np.dtype, expected: list[object]) -> None:
    found = _column(Field("x"), x=cells)
    assert found.dtype == kind
    assert [None if pd.isna(cell) else cell for cell in found] == expected


@pytest.mark.parametrize(
    ("now", "history", "kind", "expected"),
    [
        (pd.Series([3.5], dtype="float32"), [1.5, np.nan], FLOAT32, [1.5, None, 3.5]),
        (pd.Series([3.5]), [1.5], FLOAT64, [1.5, 3.5]),
        (pd.Series([3], dtype="int32"), [1.0, 2.0], INT32, [1, 2, 3]),
        (pd.Series([3], dtype="int32"), [1.0, np.nan], FLOAT64, [1.0, None, 3.0]),
        (pd.Series([2**60 + 1]), (2**60 + 3,), INT64, [2**60 + 3, 2**60 + 1]),
        (pd.Series(["t"], dtype=object), ("f", None), NO_ARRAY, ["f", None, "t"]),
        (pd.Series([None], dtype=object), ("f", None), NO_ARRAY, ["f", None, None]),
        (pd.Series([pd.NA], dtype="Int32"), [1.0], FLOAT64, [1.0, None]),
    ],
)
def test_an_alert_comes_after_its_history_in_the_type_of_its_own_value(
    now: pd.Series, history: Any, kind: np.dtype, expected: list[object]
) -> None:
    (found,) = _joined(_cells(history), now)
    assert found.dtype == kind
    assert [None if pd.isna(value) else value for value in found] == expected


def test_an_alert_without_history_stands_alone() -> None:
    found = _joined(_cells(None, [], [2.0]), pd.Series([17.0, np.nan, 18.0]))
    assert [array.tolist() for array in found] == [[17.0], pytest.approx([np.nan], nan_ok=True), [2.0, 18.0]]


_VALUE = st.none() | st.floats(10, 25, width=32)


@given(st.lists(st.tuples(_VALUE, st.none() | st.lists(_VALUE, max_size=5)), min_size=1, max_size=5))
def test_no_value_is_lost_moved_or_rounded(alerts: list[tuple[float | None, list[float | None] | None]]) -> None:
    history = pd.Series(
        [None if past is None else np.array(past, dtype=np.float64) for _, past in alerts], dtype=object
    )
    found = _joined(history, pd.Series([now for now, _ in alerts], dtype="float32"))
    expected = [[*(past or ()), now] for now, past in alerts]
    assert [[None if np.isnan(value) else value for value in array] for array in found] == expected


def test_a_constant_comes_once_per_alert() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    assert Constant("_beta").column(frame).tolist() == ["_beta"] * 3
    assert Constant(10_000).column(frame).to_numpy()[0] == 10_000


def test_records_come_as_one_map_without_those_that_are_null() -> None:
    bands = MapOf({1: "g", 2: "r"})
    g = pd.Series([{"mean": 17.0, "skew": None}, None, None], dtype=object)
    r = pd.Series([{"mean": 18.0, "skew": 0.5}, {"mean": 19.0, "skew": 1.0}, None], dtype=object)
    both, one, none = _column(bands, g=g, r=r)
    assert both == {1: {"mean": 17.0, "skew": pytest.approx(np.nan, nan_ok=True)}, 2: {"mean": 18.0, "skew": 0.5}}
    assert (one, none) == ({2: {"mean": 19.0, "skew": 1.0}}, {})


def test_arguments_say_what_they_are_made_of() -> None:
    assert Field("candidate.jd").paths == ("candidate.jd",)
    assert WithHistory("jd").paths == ("prv_candidates.jd", "candidate.jd")
    assert WithHistory("flux", history="past", current="now").paths == ("past.flux", "now.flux")
    assert MapOf({1: "g", 2: "r"}).paths == ("g", "r")
    assert Constant(1).paths == ()
