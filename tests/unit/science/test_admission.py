"""What a module must declare to be taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fink_dagster.lake.tables import platform_columns, tables
from fink_dagster.science.admission import PLATFORM_COLUMNS, fault_in, names_in, taken
from fink_dagster.science.module import Limits, Module, Output
from fink_dagster.science.registry import modules
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place
from tests.toy import Toy

GOOD = Module("good", "1", ("candidate.jd",), (Output("good", "double", "", "."),), len)


def _output(**changed: Any) -> tuple[Output, ...]:
    return (replace(GOOD.outputs[0], **changed),)


@pytest.mark.parametrize("module", [GOOD, *modules()], ids=lambda module: module.name)
def test_a_good_module_has_no_fault(module: Module) -> None:
    assert fault_in(module) == ""


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "Good"}, "must have a name of a-z, 0-9 and _ that begins with a letter; got 'Good'; rename it"),
        ({"name": "a b"}, "got 'a b'"),
        ({"name": "class"}, "got 'class'"),
        ({"name": 3}, "got 3"),
        ({"version": 1}, "must have version as text; got 1; write it in quotes"),
        ({"version": ""}, "must have version as text"),
        ({"owner": None}, "must have owner as text"),
        ({"where": None}, "must have where as text"),
        ({"inputs": "candidate.jd"}, "must have inputs as a tuple of texts; got 'candidate.jd'; a tuple of one ends"),
        ({"inputs": ()}, "must have an input"),
        ({"optional": ["candidate.jd"]}, "must have optional as a tuple of texts"),
        ({"outputs": ()}, "must have outputs as a tuple of Output"),
        ({"outputs": GOOD.outputs[0]}, "must have outputs as a tuple of Output"),
        ({"outputs": (*GOOD.outputs, *_output(name="GOOD"))}, "must add each column once; got 'GOOD' again"),
        ({"outputs": _output(name="a.b")}, "must have outputs called by a plain word; got 'a.b'; rename it"),
        ({"outputs": _output(name="x` int); --")}, "must have outputs called by a plain word"),
        ({"outputs": _output(name="_added")}, "must have outputs called by a plain word"),
        ({"outputs": _output(meaning=None)}, "must say unit and meaning of 'good' as text"),
        ({"outputs": _output(type="float64")}, "must give 'good' one of int, bigint, float, double, string, boolean"),
        ({"outputs": _output(type=float)}, "got <class 'float'>"),
        ({"outputs": _output(fields=("a",))}, "must give the record 'good' no type and fields called by"),
        ({"outputs": _output(type="", fields=("a", "A"))}, "must give the record 'good' no type and fields"),
        ({"outputs": _output(type="", fields="ab")}, "must give the record 'good' no type and fields"),
        ({"function": None}, "must have a function; got None; correct it"),
        (
            {"limits": 60},
            "must have limits as Limits(seconds, memory_mib), a day and 1 PiB at most; got 60; correct it",
        ),
        ({"limits": Limits(seconds=0)}, "must have limits as Limits"),
        ({"limits": Limits(seconds=1e300)}, "must have limits as Limits"),
        ({"limits": Limits(memory_mib=True)}, "must have limits as Limits"),
        ({"limits": Limits(memory_mib=float("nan"))}, "must have limits"),
    ],
)
def test_what_is_declared_wrongly_is_said(changed: dict[str, Any], why: str) -> None:
    assert why in fault_in(replace(GOOD, **changed))


def test_a_column_is_taken_in_any_case() -> None:
    assert taken(replace(GOOD, outputs=_output(name="Roid")), {"roid": "module roid"}) == (
        "must add columns of its own; got 'Roid', which module roid has; rename it"
    )


def test_names_of_the_alert_are_those_of_its_fields_and_of_its_records() -> None:
    names = names_in(by_place(get_survey("ztf").alert_schema))
    assert {"candid", "objectid", "prv_candidates", "candidate", "magpsf", "drb"} <= names


def test_the_columns_of_the_platform_are_those_the_tables_have() -> None:
    survey = Toy()
    held = tables(survey)
    alert = {field["name"] for field in survey.alert_schema["fields"]}
    own = {column.name for name in ("raw_alerts", "science_alerts") for column in held[name].columns} - alert
    assert own | platform_columns(survey) == PLATFORM_COLUMNS
