from __future__ import annotations

from typing import Any

import pytest

from fink_dagster.lake.types import alert_columns, meanings, sql_type
from fink_dagster.surveys.ztf import ZTF

INNER = {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "long"]}]}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("int", "int"),
        ("long", "bigint"),
        ("bytes", "binary"),
        (["null", "double"], "double"),
        (["string", "null"], "string"),
        (INNER, "struct<`x`:bigint>"),
        ({"type": "array", "items": ["null", INNER]}, "array<struct<`x`:bigint>>"),
        ({"type": "map", "values": "boolean"}, "map<string,boolean>"),
        ({"type": "array", "items": {"type": "map", "values": "float"}}, "array<map<string,float>>"),
    ],
)
def test_an_avro_type_is_a_column_type(schema: Any, expected: str) -> None:
    assert sql_type(schema) == expected


def test_columns_stand_in_the_order_of_the_schema() -> None:
    names = [field["name"] for field in ZTF.alert_schema["fields"]]
    assert list(alert_columns(ZTF.alert_schema)) == list(meanings(ZTF.alert_schema)) == names


def test_a_field_without_a_meaning_has_an_empty_one() -> None:
    assert meanings({"fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "doc": "b [s]"}]}) == {
        "a": "",
        "b": "b [s]",
    }
