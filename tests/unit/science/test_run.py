from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.module import Limits, Module, Output, Unavailable
from fink_dagster.science.run import MOST_FAILURES, run_modules

if TYPE_CHECKING:
    from collections.abc import Callable


def _module(name: str, function: Callable[..., Any], *, needs: tuple[str, ...] = ("x",), kind: str = "int") -> Module:
    return Module(name, "1", needs, (Output(name, kind, "", "."),), function)


def _raise(*_: pd.Series) -> pd.Series:
    message = "no such band"
    raise KeyError(message)


def _unavailable(*_: pd.Series) -> pd.Series:
    raise Unavailable("no_catalogue", "gcvs: must be fetched")


FRAME = pd.DataFrame({"x": [1, 2, 3]}, index=[10, 20, 30])


def test_outputs_stand_in_order_with_the_index_of_the_alerts() -> None:
    ran = run_modules(FRAME, [_module("b", lambda x: x * 2), _module("a", lambda x: x.to_numpy())])
    assert ran.failures == {}
    assert ran.status.tolist() == [{}, {}, {}]
    assert ran.columns.to_dict("list") == {"b": [2, 4, 6], "a": [1, 2, 3]}
    assert ran.columns.index.tolist() == [10, 20, 30]
    assert set(ran.columns.dtypes) == {pd.Int32Dtype()}


@pytest.mark.parametrize(
    ("function", "code", "text"),
    [
        (_raise, "raised", "KeyError: 'no such band'"),
        (lambda x: x[:2], "wrong_shape", "must have 3 values; got 2"),
        (lambda x: x.astype(str) + "?", "wrong_type", "'bad' must be int"),
        (lambda x: x + 0.5, "wrong_type", "'bad' must be int"),
        (lambda x: pd.DataFrame({"other": x}), "wrong_shape", "must give a column 'bad'; got other"),
        (lambda x: None, "wrong_type", "must be a Series or an array; got NoneType"),
        (lambda x: np.zeros((3, 2)), "wrong_type", "must be a Series or an array; got ndarray"),
        (_unavailable, "no_catalogue", "gcvs: must be fetched"),
    ],
)
def test_a_failing_module_leaves_nulls_and_a_code_and_spoils_no_other(
    function: Callable[..., Any], code: str, text: str
) -> None:
    ran = run_modules(FRAME, [_module("bad", function), _module("good", lambda x: x)])
    assert list(ran.failures) == ["bad"]
    assert ran.failures["bad"].code == code
    assert text in ran.failures["bad"].text
    assert ran.status.tolist() == [{"bad": code}] * 3
    assert ran.columns["bad"].isna().all()
    assert ran.columns["good"].tolist() == [1, 2, 3]
    assert ran.columns["bad"].dtype == pd.Int32Dtype()


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, np.nan, 3.0]),
        pd.Series([1.0, np.nan, 3.0]),
        pd.Series([1.0, float("nan"), 3.0], dtype=object),
        pd.Series([1.0, 0.0, 3.0], dtype="Float64") / pd.Series([1.0, 0.0, 1.0], dtype="Float64"),
    ],
)
def test_a_nan_is_a_fault_of_its_alert_alone_and_a_null_is_none(values: Any) -> None:
    ran = run_modules(FRAME, [_module("a", lambda x: values, kind="double")])
    assert ran.columns["a"].tolist() == [1.0, pd.NA, 3.0]
    assert ran.status.tolist() == [{}, {"a": "nan"}, {}]
    assert ran.failures["a"].text == "gave NaN for 1 alerts"
    nulls = run_modules(FRAME, [_module("a", lambda x: pd.Series([1.0, pd.NA, None], dtype="Float64"), kind="double")])
    assert nulls.columns["a"].tolist() == [1.0, pd.NA, pd.NA]
    assert nulls.status.tolist() == [{}, {}, {}]


def test_what_is_computed_from_a_failed_value_fails_too() -> None:
    after = _module("after", lambda bad: bad.isna().astype(int), needs=("bad",))
    ran = run_modules(FRAME, [_module("bad", _raise), after])
    assert ran.failures["after"].text == "needs 'bad', and module bad failed"
    assert ran.status.tolist() == [{"bad": "raised", "after": "no_input"}] * 3
    assert ran.columns["after"].isna().all()


def test_what_is_computed_from_a_value_that_failed_for_one_alert_fails_for_that_one() -> None:
    first = _module("first", lambda x: np.array([1.0, np.nan, 3.0]), kind="double")
    ran = run_modules(FRAME, [first, _module("after", lambda first: first.astype(int), needs=("first",))])
    assert ran.columns["after"].tolist() == [1, pd.NA, 3]
    assert ran.status.tolist() == [{}, {"first": "nan", "after": "no_input"}, {}]


def test_an_input_that_is_not_there_is_the_reason() -> None:
    ran = run_modules(FRAME, [_module("a", lambda y: y, needs=("candidate.y",))])
    assert ran.failures["a"].text == "needs 'candidate.y', and the alerts have no such column"
    assert ran.status.tolist() == [{"a": "no_input"}] * 3


def test_a_module_is_asked_for_the_alerts_it_wants_alone() -> None:
    wanted = _module("wanted", lambda x: pd.Series([True, None, False], dtype="boolean"), kind="boolean")
    asked: list[list[int]] = []

    def see(x: pd.Series) -> pd.Series:
        asked.append(x.tolist())
        return x * 10

    chosen = Module("chosen", "1", ("x",), (Output("chosen", "int", "", "."),), see, where="wanted")
    ran = run_modules(FRAME, [wanted, chosen])
    assert asked == [[1]]
    assert ran.columns["chosen"].tolist() == [10, pd.NA, pd.NA]
    assert ran.status.tolist() == [{}, {}, {}]


def test_a_module_that_writes_into_its_input_reaches_no_other() -> None:
    def spoil(x: pd.Series, history: pd.Series) -> pd.Series:
        history.iloc[0][:] = 0
        x.iloc[0] = 0
        return x

    frame = pd.DataFrame({"x": [1], "h": pd.Series([np.array([5.0])], dtype=object)})
    last = _module("last", lambda x, h: x + [int(cell[-1]) for cell in h], needs=("x", "h"))
    ran = run_modules(frame, [_module("first", spoil, needs=("x", "h")), last])
    assert ran.failures == {}
    assert ran.columns["last"].tolist() == [6]


def test_a_module_can_add_several_columns() -> None:
    outputs = (Output("low", "double", "mag", "."), Output("high", "boolean", "", "."))
    both = Module("m", "1", ("x",), outputs, lambda x: pd.DataFrame({"high": x > 2, "low": x / 2}))
    ran = run_modules(FRAME, [both])
    assert ran.failures == {}
    assert ran.columns.to_dict("list") == {"low": [0.5, 1.0, 1.5], "high": [False, False, True]}


RECORD = Output("r", "", "", ".", fields=("mean", "slope"))


def test_a_record_is_a_dict_of_numbers_or_none() -> None:
    cells = [{"slope": 1, "mean": np.float32(0.5)}, None, {"mean": None, "slope": 2.0}]
    ran = run_modules(FRAME, [Module("m", "1", ("x",), (RECORD,), lambda x: pd.Series(cells, dtype=object))])
    assert ran.columns["r"].tolist() == [{"mean": 0.5, "slope": 1.0}, None, {"mean": None, "slope": 2.0}]
    assert RECORD.spark_type == "struct<mean:double,slope:double>"


@pytest.mark.parametrize("cell", [{"mean": 1.0}, {"mean": 1.0, "slope": "steep"}, 5.0])
def test_a_record_of_another_make_is_refused(cell: object) -> None:
    given = Module("m", "1", ("x",), (RECORD,), lambda x: pd.Series([cell] * len(x), dtype=object))
    ran = run_modules(FRAME, [given])
    assert ran.failures["m"].code == "wrong_type"
    assert ran.columns["r"].tolist() == [None, None, None]


def test_a_nan_in_a_record_is_a_fault_too() -> None:
    cells = pd.Series([{"mean": 1.0, "slope": np.nan}] + [None] * 2, dtype=object)
    ran = run_modules(FRAME, [Module("m", "1", ("x",), (RECORD,), lambda x: cells)])
    assert ran.columns["r"].tolist() == [None, None, None]
    assert ran.status.tolist() == [{"m": "nan"}, {}, {}]


def _ends_at_two(x: pd.Series) -> pd.Series:
    if 2 in x.to_numpy():
        raise SystemExit(3)
    return x


def test_an_alert_a_module_cannot_stand_costs_no_other_its_value() -> None:
    frame = pd.DataFrame({"x": [1, 3, 2, 5, 6, 7, 8]})
    ran = run_modules(frame, [_module("a", _ends_at_two)])
    assert ran.columns["a"].tolist() == [1, 3, pd.NA, 5, 6, 7, 8]
    assert ran.status.tolist() == [{}, {}, {"a": "raised"}, {}, {}, {}, {}]
    assert ran.failures["a"].text == "SystemExit: 3"


def test_a_module_that_always_fails_is_not_asked_for_ever() -> None:
    calls = []

    def fail(x: pd.Series) -> pd.Series:
        calls.append(len(x))
        raise ValueError

    ran = run_modules(pd.DataFrame({"x": range(1000)}), [_module("a", fail)])
    assert ran.status.tolist() == [{"a": "raised"}] * 1000
    assert len(calls) < 2 * MOST_FAILURES


def test_a_module_that_runs_out_of_time_or_fails_slowly_is_not_asked_for_the_rest() -> None:
    calls = []

    def late(module: Module, columns: Any, number: int) -> Any:
        calls.append(number)
        raise Unavailable("timeout", "took more than the 60 s it may")

    frame = pd.DataFrame({"x": range(2000)})
    ran = run_modules(frame, [_module("a", lambda x: x)], late)
    assert (calls, set(map(str, ran.status))) == ([500], {"{'a': 'timeout'}"})

    def slow(x: pd.Series) -> pd.Series:
        calls.append(len(x))
        time.sleep(0.03)
        raise ValueError

    calls.clear()
    ran = run_modules(frame, [replace(_module("a", slow), limits=Limits(seconds=0.05))])
    assert (len(calls), set(map(str, ran.status))) == (2, {"{'a': 'raised'}"})


@pytest.mark.parametrize("code", ["", "No catalogue", None, "x" * 61])
def test_a_reason_that_cannot_stand_in_a_table_is_replaced(code: Any) -> None:
    def lack(_: pd.Series) -> pd.Series:
        raise Unavailable(code, "nothing")

    ran = run_modules(FRAME, [_module("a", lack)])
    assert ran.status.tolist() == [{"a": "raised"}] * 3
    assert ran.failures["a"].text == "Unavailable: nothing"


def test_a_number_too_large_for_its_column_is_a_fault() -> None:
    ran = run_modules(FRAME, [_module("a", lambda x: np.array([1.0, 1e300, 3.0]), kind="float")])
    assert ran.columns["a"].tolist() == [1.0, pd.NA, 3.0]
    assert ran.status.tolist() == [{}, {"a": "nan"}, {}]


def test_an_optional_value_may_be_absent_but_not_made_by_a_module_at_fault() -> None:
    after = Module("after", "1", ("x",), (Output("y", "int", "", "."),), lambda x, bad: x, optional=("bad",))
    absent, failed = (run_modules(FRAME, [_module("bad", give), after]) for give in (_unavailable, _raise))
    assert absent.columns["y"].tolist() == [1, 2, 3]
    assert failed.columns["y"].isna().all()
    assert failed.status.tolist() == [{"bad": "raised", "after": "no_input"}] * 3


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", pd.array([2**40] * 3, "Int64")),
        ("bigint", [3361510431415010079, None, 1.0]),
        ("string", [{"a": 1}] * 3),
        ("string", [1.5] * 3),
    ],
)
def test_a_value_that_would_be_changed_to_fit_its_type_is_refused(kind: str, value: Any) -> None:
    given = _module("a", lambda x: pd.Series(value)[: len(x)], kind=kind)
    assert run_modules(FRAME, [given]).status.tolist() == [{"a": "wrong_type"}] * 3


@pytest.mark.parametrize("value", [np.inf, np.float32("nan"), np.float64("-inf")])
def test_infinities_and_nan_of_numpy_are_faults_too(value: Any) -> None:
    plain = _module("a", lambda x: pd.Series([value] * len(x), dtype=object), kind="double")
    record = Module(
        "m", "1", ("x",), (RECORD,), lambda x: pd.Series([{"mean": value, "slope": pd.NA}] * len(x), dtype=object)
    )
    ran = run_modules(FRAME, [plain, record])
    assert ran.status.tolist() == [{"a": "nan", "m": "nan"}] * 3
    assert ran.columns["r"].tolist() == [None] * 3


def test_no_alerts_give_empty_columns_of_the_right_types() -> None:
    ran = run_modules(FRAME[:0], [_module("a", lambda x: x, kind="bigint")])
    assert (len(ran.columns), ran.columns["a"].dtype, ran.failures) == (0, pd.Int64Dtype(), {})
