"""What a task of Spark does with the modules it was given; Spark itself is in the integration tests."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from fink_dagster.science.module import Limits, Module, Output
from fink_dagster.science.run import STATUS
from fink_dagster.stages import modules
from tests.harmful import sleeps


def test_a_module_that_ran_out_of_time_is_not_asked_again_in_its_task() -> None:
    told: list[Any] = []
    outputs = (Output("slow", "int", "", "."),)
    slow = Module("slow", "1", ("x",), outputs, sleeps, limits=Limits(seconds=1), alone=True)
    run = modules._runner([slow], ["x"], SimpleNamespace(add=told.append), {})  # type: ignore[arg-type]
    began = time.monotonic()
    codes = [dict(row[STATUS]) for _ in range(20) for row in run(pa.array([1, 2])).to_pylist()]
    assert codes == [{"slow": "timeout"}] * 2 + [{"slow": "switched_off"}] * 38
    assert time.monotonic() - began < 20
    assert [tallies["slow"].late for tallies in told] == [True] + [False] * 19
    assert [tallies["slow"].asked for tallies in told] == [2] + [0] * 19
