"""New fields of a survey's alerts become new columns: added at the end, null in older rows, never taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fink_dagster.lake.types import sql_type
from fink_dagster.surveys.avro import fields_of, not_null

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql.types import DataType

    from fink_dagster.lake.lake import Lake

WIDE_TABLES = ("raw_alerts", "science_alerts")


def widen(lake: Lake, alert_schema: Mapping[str, Any]) -> None:
    """Add to the tables that hold whole alerts the columns they lack."""
    for table in WIDE_TABLES:
        held = lake.spark.table(lake.name(table)).schema
        for path, kind in missing_columns(alert_schema, held):
            quoted = ".".join(f"`{part}`" for part in path)
            lake.spark.sql(f"ALTER TABLE {lake.name(table)} ADD COLUMN {quoted} {kind}")


def missing_columns(
    alert_schema: Any, held: DataType, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield path and SQL type of every field of a reader schema that a Spark type does not have.

    Parameters
    ----------
    alert_schema : dict or list
        Avro reader schema.
    held : pyspark.sql.types.DataType
        Type of the table's row, struct or array at this place.
    path : tuple of str
        Where this is.
    """
    from pyspark.sql.types import ArrayType, MapType, StructType

    kind = not_null(alert_schema)
    if isinstance(held, ArrayType) and not isinstance(kind, str) and kind["type"] == "array":
        yield from missing_columns(kind["items"], held.elementType, (*path, "element"))
    if isinstance(held, MapType) and not isinstance(kind, str) and kind["type"] == "map":
        yield from missing_columns(kind["values"], held.valueType, (*path, "value"))
    if not isinstance(held, StructType):
        return
    names = set(held.fieldNames())
    for name, field_type in fields_of(kind).items():
        if name not in names:
            yield (*path, name), sql_type(field_type)
        else:
            yield from missing_columns(field_type, held[name].dataType, (*path, name))
