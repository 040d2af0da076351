from __future__ import annotations

import pickle
import re

import pytest

from fink_dagster.errors import OperationError, UserError
from fink_dagster.science.module import PANDAS_TYPES, Module, Output
from fink_dagster.science.order import in_order
from fink_dagster.science.registry import get_module, modules, science_version


def _module(name: str, needs: tuple[str, ...], adds: str) -> Module:
    return Module(name, "1", needs, (Output(adds, "int", "", "."),), len)


def test_a_module_runs_after_those_it_needs() -> None:
    names = [module.name for module in modules()]
    assert names.index("nalerthist") < names.index("roid")


def test_order_follows_needs_and_not_the_order_of_declaration() -> None:
    chain = [_module("a", ("y",), "z"), _module("b", ("x",), "y"), _module("c", ("candidate.jd",), "x")]
    assert [module.name for module in in_order(chain)] == ["c", "b", "a"]


def test_modules_in_a_circle_are_refused() -> None:
    with pytest.raises(OperationError, match="in a circle"):
        in_order([_module("a", ("y",), "x"), _module("b", ("x",), "y")])


def test_two_modules_that_add_one_column_are_refused() -> None:
    with pytest.raises(OperationError, match="must add columns of its own; got 'x', which a adds"):
        in_order([_module("a", (), "x"), _module("b", (), "x")])


def test_a_misspelt_module_is_answered_with_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean 'nalerthist'"):
        get_module("nalerthists")


def test_a_known_module_is_found() -> None:
    assert get_module("roid").name == "roid"


def test_science_version_is_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", science_version())


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_module_says_what_it_adds_and_can_travel(module: Module) -> None:
    assert all(output.meaning and (output.fields or output.type in PANDAS_TYPES) for output in module.outputs)
    assert pickle.loads(pickle.dumps(module)) == module
