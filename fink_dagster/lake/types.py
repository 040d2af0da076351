"""From an Avro reader schema to the column types of a table, with meanings as comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fink_dagster.surveys.avro import by_place, not_null

if TYPE_CHECKING:
    from collections.abc import Mapping

_SQL = {
    "boolean": "boolean",
    "int": "int",
    "long": "bigint",
    "float": "float",
    "double": "double",
    "bytes": "binary",
    "string": "string",
}


def sql_type(schema: Any) -> str:
    """Return the Spark SQL type of an Avro reader schema.

    Examples
    --------
    >>> sql_type({"type": "array", "items": ["null", "float"]})
    'array<float>'
    """
    kind = not_null(schema)
    if isinstance(kind, str):
        return _SQL[kind]
    if kind["type"] == "array":
        return f"array<{sql_type(kind['items'])}>"
    if kind["type"] == "map":
        return f"map<string,{sql_type(kind['values'])}>"
    inner = [f"`{field['name']}`:{sql_type(field['type'])}" for field in kind["fields"]]
    return f"struct<{','.join(inner)}>"


def alert_columns(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return name and SQL type of the top-level fields of an alert."""
    return {field["name"]: sql_type(field["type"]) for field in by_place(schema)["fields"]}


def meanings(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return name and meaning of the top-level fields of an alert, where the schema says it."""
    return {field["name"]: str(field.get("doc", "")) for field in schema["fields"]}
