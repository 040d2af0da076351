"""Modules against a table that older ones have made."""

from __future__ import annotations

from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType

from fink_dagster.science.module import Module, Output
from fink_dagster.stages.fitting import fitting

HELD = StructType(
    [
        StructField("a", DoubleType()),
        StructField("record", StructType([StructField("x", DoubleType())])),
        StructField("b", StringType()),
        StructField("gone", IntegerType()),
    ]
)


def _module(name: str, output: Output, needs: tuple[str, ...] = ("candidate.jd",)) -> Module:
    return Module(name, "1", needs, (output,), len)


def test_modules_that_give_what_the_table_holds_or_something_new_fit() -> None:
    modules = [
        _module("first", Output("A", "double", "", ".")),
        _module("second", Output("record", "", "", ".", ("x",))),
        _module("third", Output("new", "int", "", ".")),
    ]
    assert fitting(modules, HELD) == (modules, {})


def test_one_that_gives_another_type_does_not_fit_nor_does_what_needs_it() -> None:
    other = _module("other", Output("b", "double", "", "."))
    needs = _module("needs", Output("c", "double", "", "."), ("b",))
    wider = _module("wider", Output("record", "", "", ".", ("x", "y")))
    fine = _module("fine", Output("d", "double", "", "."))

    fit, unfit = fitting([other, needs, wider, fine], HELD)

    assert fit == [fine]
    assert unfit == {
        "other": "must give 'b' as string, which the table science_alerts has; got double; "
        "give another type another name",
        "needs": "must read columns that are given; got 'b', whose module does not run; mend that",
        "wider": "must give 'record' as struct<x:double>, which the table science_alerts has; "
        "got struct<x:double,y:double>; give another type another name",
    }
