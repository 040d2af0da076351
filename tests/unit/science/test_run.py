from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.module import Module, Output
from fink_dagster.science.run import run_modules

if TYPE_CHECKING:
    from collections.abc import Callable


def _module(name: str, function: Callable[..., Any], *, needs: tuple[str, ...] = ("x",), kind: str = "int") -> Module:
    return Module(name, "1", needs, (Output(name, kind, "", "."),), function)


def _raise(*_: pd.Series) -> pd.Series:
    message = "no such band"
    raise KeyError(message)


FRAME = pd.DataFrame({"x": [1, 2, 3]}, index=[10, 20, 30])


def test_outputs_stand_in_order_with_the_index_of_the_alerts() -> None:
    added, failed = run_modules(FRAME, [_module("b", lambda x: x * 2), _module("a", lambda x: x.to_numpy())])
    assert failed == {}
    assert added.to_dict("list") == {"b": [2, 4, 6], "a": [1, 2, 3]}
    assert added.index.tolist() == [10, 20, 30]
    assert set(added.dtypes) == {pd.Int32Dtype()}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_raise, "no such band"),
        (lambda x: x[:2], "must have 3 values; got 2"),
        (lambda x: x.astype(str) + "?", "ValueError"),
        (lambda x: x + 0.5, "TypeError"),
        (lambda x: pd.DataFrame({"other": x}), "KeyError"),
        (lambda x: None, "TypeError"),
    ],
)
def test_a_failing_module_leaves_nulls_and_a_reason_and_spoils_no_other(
    function: Callable[..., Any], reason: str
) -> None:
    added, failed = run_modules(FRAME, [_module("bad", function), _module("good", lambda x: x)])
    assert list(failed) == ["bad"]
    assert reason in failed["bad"]
    assert added["bad"].isna().all()
    assert added["good"].tolist() == [1, 2, 3]
    assert added["bad"].dtype == pd.Int32Dtype()


def test_what_is_computed_from_a_failed_value_fails_too() -> None:
    after = _module("after", lambda bad: bad.isna().astype(int), needs=("bad",))
    added, failed = run_modules(FRAME, [_module("bad", _raise), after])
    assert failed["after"] == "ValueError: needs 'bad', and module bad failed"
    assert added["after"].isna().all()


def test_an_input_that_is_not_there_is_the_reason() -> None:
    _, failed = run_modules(FRAME, [_module("a", lambda y: y, needs=("candidate.y",))])
    assert failed == {"a": "ValueError: needs 'candidate.y', and the alerts have no such column"}


def test_a_module_that_writes_into_its_input_reaches_no_other() -> None:
    def spoil(x: pd.Series, history: pd.Series) -> pd.Series:
        history.iloc[0][:] = 0
        x.iloc[0] = 0
        return x

    frame = pd.DataFrame({"x": [1], "h": pd.Series([np.array([5.0])], dtype=object)})
    last = _module("last", lambda x, h: x + [int(cell[-1]) for cell in h], needs=("x", "h"))
    added, failed = run_modules(frame, [_module("first", spoil, needs=("x", "h")), last])
    assert failed == {}
    assert added["last"].tolist() == [6]


def test_a_module_can_add_several_columns() -> None:
    outputs = (Output("low", "double", "mag", "."), Output("high", "boolean", "", "."))
    both = Module("m", "1", ("x",), outputs, lambda x: pd.DataFrame({"high": x > 2, "low": x / 2}))
    added, failed = run_modules(FRAME, [both])
    assert failed == {}
    assert added.to_dict("list") == {"low": [0.5, 1.0, 1.5], "high": [False, False, True]}


def test_no_alerts_give_empty_columns_of_the_right_types() -> None:
    added, failed = run_modules(FRAME[:0], [_module("a", lambda x: x, kind="bigint")])
    assert (len(added), added["a"].dtype, failed) == (0, pd.Int64Dtype(), {})
