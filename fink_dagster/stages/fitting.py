"""Science modules against the science table as it is: a lake outlives the modules that gave it its columns.

A column whose module is gone stays, null from now on; one whose module gives another type now keeps its own. Either
costs that column alone. Spark's types only; nothing is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from fink_dagster.science.module import Module


def fitting(modules: Sequence[Module], held: StructType) -> tuple[list[Module], dict[str, str]]:
    """Tell apart the modules that can write their columns into a table and those that cannot.

    Parameters
    ----------
    modules : sequence of Module
        In an order that respects their needs.
    held : StructType
        The table's columns.

    Returns
    -------
    list of Module
        Those that can.
    dict
        Of the others, those that need a column of theirs included: name -> why, in one sentence.
    """
    types = {field.name.lower(): field.dataType.simpleString() for field in held.fields}
    fit: list[Module] = []
    unfit: dict[str, str] = {}
    lost: set[str] = set()
    for module in modules:
        if why := _other_type(module, types) or _lost(module, lost):
            unfit[module.name] = why
            lost |= {output.name for output in module.outputs}
        else:
            fit.append(module)
    return fit, unfit


def with_columns_of(held: StructType, rows: DataFrame) -> DataFrame:
    """Return rows with the columns of a table that nothing gives any more, as nulls."""
    from pyspark.sql import functions as F

    given = {name.lower() for name in rows.columns}
    gone = {field.name: F.lit(None).cast(field.dataType) for field in held.fields if field.name.lower() not in given}
    return rows.withColumns(gone) if gone else rows


def _other_type(module: Module, types: dict[str, str]) -> str:
    for output in module.outputs:
        kind = types.get(output.name.lower(), output.spark_type)
        if kind != output.spark_type:
            return (
                f"must give {output.name!r} as {kind}, which the table science_alerts has; got {output.spark_type}; "
                "give another type another name"
            )
    return ""


def _lost(module: Module, lost: set[str]) -> str:
    absent = [path for path in module.needs if path in lost]
    return (
        f"must read columns that are given; got {absent[0]!r}, whose module does not run; mend that" if absent else ""
    )
