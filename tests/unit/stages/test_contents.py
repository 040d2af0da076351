"""What of an alert a transfer carries, from the words somebody typed."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import from_arrow_schema

from fink_dagster.errors import UserError
from fink_dagster.stages.contents import _plain, paths_of

SCHEMA = from_arrow_schema(
    pa.schema(
        {
            "name": pa.string(),
            "number": pa.int64(),
            "values": pa.struct({"number": pa.int64(), "magnitude": pa.float32()}),
            "stamp": pa.struct({"data": pa.binary()}),
            "history": pa.list_(pa.struct({"magnitude": pa.float32()})),
            "seen": pa.timestamp("us", "UTC"),
            "notes": pa.map_(pa.string(), pa.string()),
            "odd": pa.struct({"when": pa.list_(pa.date32()), "share": pa.decimal128(4, 2)}),
        }
    )
)
NAMES = ("name", "number")


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [
        ("full packet", set()),
        ("Full packet", set()),
        ("MEDIUM", {"stamp"}),
        ("light", {"stamp", "history", "odd"}),
        ("cutouts", {"history", "odd"}),
    ],
)
def test_a_content_leaves_out_stamps_or_history_by_their_types(asked: str, left_out: set[str]) -> None:
    assert set(SCHEMA.names) - set(paths_of(SCHEMA, asked, NAMES)) == left_out


def test_the_names_of_the_alert_are_always_carried_and_come_first() -> None:
    assert paths_of(SCHEMA, "values.magnitude, number", NAMES) == ["name", "number", "values.magnitude"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nmae", "got 'nmae'; did you mean 'name'"),
        ("values.nothing", "got 'values.nothing'"),
        ("history.magnitude", "got 'history.magnitude'"),
        ("", "got ''"),
        ("seen,", "got ''"),
        ("seen); DROP TABLE x; --", r"got 'seen\); DROP TABLE x; --'"),
        ("values.number", "got 'number' twice"),
        ("seen,seen", "got 'seen' twice"),
    ],
)
def test_what_is_no_column_is_refused_in_one_sentence(asked: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        paths_of(SCHEMA, asked, NAMES)


def test_no_type_is_sent_that_avro_writes_as_a_logical_one() -> None:
    plain = {field.name: field.dataType.simpleString() for field in _plain(SCHEMA)}
    assert plain["seen"] == "string"
    assert plain["odd"] == "struct<when:array<string>,share:string>"
    others = [field for field in SCHEMA if field.name not in ("seen", "odd")]
    assert {field.name: field.dataType.simpleString() for field in others}.items() <= plain.items()
