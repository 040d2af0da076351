from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import types
from pyspark.sql.types import ArrayType, MapType, StructType

from fink_dagster.lake.types import sql_type
from fink_dagster.lake.widening import missing_columns
from fink_dagster.surveys import avro
from fink_dagster.surveys.ztf import ZTF

INNER = {"type": "record", "name": "r", "fields": [{"name": "x", "type": ["null", "long"]}]}


def _row(schema: Any) -> StructType:
    """Return the Spark type of the table a schema makes, without a session."""
    plain = {"boolean": types.BooleanType(), "int": types.IntegerType(), "long": types.LongType()} | {
        "float": types.FloatType(),
        "double": types.DoubleType(),
        "bytes": types.BinaryType(),
        "string": types.StringType(),
    }

    def of(kind: Any) -> Any:
        kind = avro.not_null(kind)
        if isinstance(kind, str):
            return plain[kind]
        if kind["type"] == "array":
            return ArrayType(of(kind["items"]))
        if kind["type"] == "map":
            return MapType(types.StringType(), of(kind["values"]))
        row = StructType()
        for name, inner in avro.fields_of(kind).items():
            row.add(name, of(inner))
        return row

    return of(schema)


def _reader(*fields: tuple[str, Any]) -> Any:
    listed = [{"name": name, "type": kind} for name, kind in fields]
    return avro.as_reader(avro.by_place({"type": "record", "name": "r", "fields": listed}))


KINDS = ["int", "bytes", INNER, {"type": "array", "items": INNER}, {"type": "map", "values": INNER}]
FIELDS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(KINDS)), unique_by=lambda f: f[0], max_size=5)


@given(FIELDS)
def test_a_table_made_of_a_schema_lacks_nothing_of_it(fields: list[tuple[str, Any]]) -> None:
    assert list(missing_columns(_reader(*fields), _row(_reader(*fields)))) == []


def test_the_survey_s_table_lacks_nothing_of_the_survey() -> None:
    reader = avro.as_reader(avro.by_place(ZTF.alert_schema))
    assert list(missing_columns(reader, _row(reader))) == []


@given(FIELDS, FIELDS)
def test_what_is_missing_are_the_names_the_table_has_not(held: Any, fields: Any) -> None:
    known = {name for name, _ in held}
    same = [(name, kind) for name, kind in fields if name not in known]
    missing = list(missing_columns(_reader(*held, *same), _row(_reader(*held))))
    assert missing == [((name,), sql_type(avro.as_reader(avro.by_place(kind)))) for name, kind in same]


def test_a_new_field_is_found_inside_records_arrays_and_maps() -> None:
    more = {**INNER, "fields": [*INNER["fields"], {"name": "y", "type": "float"}]}

    def table(inner: Any) -> Any:
        return _reader(("r", inner), ("a", {"type": "array", "items": inner}), ("m", {"type": "map", "values": inner}))

    assert dict(missing_columns(table(more), _row(table(INNER)))) == {
        ("r", "y"): "float",
        ("a", "element", "y"): "float",
        ("m", "value", "y"): "float",
    }


def test_columns_of_the_table_s_own_are_not_touched() -> None:
    held = _row(_reader(("a", "int"), ("night", "string")))
    assert list(missing_columns(_reader(("a", "int")), held)) == []
