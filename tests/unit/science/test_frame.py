from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import UserError
from fink_dagster.science.frame import alert_type, batch_of, frame_of, has_field
from fink_dagster.surveys.avro import by_place

CANDID = 697251921215010004
SCHEMA = by_place(
    {
        "type": "record",
        "name": "alert",
        "fields": [
            {"name": "objectId", "type": "string"},
            {"name": "candid", "type": "long"},
            {
                "name": "candidate",
                "type": {
                    "type": "record",
                    "name": "point",
                    "fields": [
                        {"name": "jd", "type": "double"},
                        {"name": "candid", "type": ["null", "long"]},
                        {"name": "fid", "type": ["null", "int"]},
                        {"name": "magpsf", "type": ["null", "float"]},
                        {"name": "isdiffpos", "type": ["null", "string"]},
                        {"name": "tooflag", "type": ["null", "boolean"]},
                    ],
                },
            },
            {"name": "prv_candidates", "type": ["null", {"type": "array", "items": "point"}]},
            {"name": "stamp", "type": ["null", "bytes"]},
            {"name": "weights", "type": ["null", {"type": "array", "items": ["null", "double"]}]},
        ],
    }
)
POINT = {"jd": 2458451.75, "candid": CANDID, "fid": 1, "magpsf": 17.25, "isdiffpos": "t", "tooflag": False}
UPPER = {"jd": 2458450.75, "candid": None, "fid": 2, "magpsf": None, "isdiffpos": None, "tooflag": None}
ALERT = {
    "objectId": "ZTF18abc",
    "candid": CANDID,
    "candidate": POINT,
    "prv_candidates": [POINT, UPPER],
    "stamp": b"\x00\xff",
    "weights": [1.0, None],
}
BARE = {"objectId": "ZTF18abd", "candid": CANDID + 1, "candidate": UPPER, "prv_candidates": None}


def _frame(alerts: list[dict[str, Any]], *paths: str) -> pd.DataFrame:
    kind = alert_type(SCHEMA, paths)
    return frame_of(batch_of(alerts, kind), kind, paths)


def _from_table(table: pa.Table, *paths: str) -> pd.DataFrame:
    return frame_of(table.combine_chunks().to_batches()[0], alert_type(SCHEMA, paths), paths)


def test_numbers_keep_their_precision_and_nulls_are_nan() -> None:
    frame = _frame([ALERT, BARE], "candidate.jd", "candidate.magpsf")
    assert frame["candidate.jd"].tolist() == [2458451.75, 2458450.75]
    assert frame["candidate.magpsf"].dtype == np.float32
    assert frame["candidate.magpsf"][0] == 17.25
    assert np.isnan(frame["candidate.magpsf"][1])


def test_identifiers_never_pass_through_a_float() -> None:
    frame = _frame([ALERT, BARE], "candid", "candidate.candid", "prv_candidates.candid")
    assert frame["candid"].tolist() == [CANDID, CANDID + 1]
    assert frame["candid"].dtype == np.int64
    assert frame["candidate.candid"].tolist() == [CANDID, pd.NA]
    assert list(frame["prv_candidates.candid"][0]) == [CANDID, None]


def test_integers_and_booleans_with_nulls_are_nullable() -> None:
    frame = _frame([ALERT, {**BARE, "candidate": {"jd": 1.0}}], "candidate.fid", "candidate.tooflag")
    assert frame["candidate.fid"].tolist() == [1, pd.NA]
    assert frame["candidate.tooflag"].tolist() == [False, pd.NA]


def test_a_path_through_a_list_gives_one_array_or_none_per_alert() -> None:
    empty = {**BARE, "prv_candidates": []}
    frame = _frame([BARE, ALERT, empty], "prv_candidates.magpsf", "prv_candidates.fid", "prv_candidates.isdiffpos")
    none, both, nothing = frame["prv_candidates.magpsf"]
    assert none is None
    assert both.dtype == np.float64
    np.testing.assert_array_equal(both, [17.25, np.nan])
    assert (len(nothing), nothing.dtype) == (0, np.float64)
    assert frame["prv_candidates.fid"][1].tolist() == [1.0, 2.0]
    assert frame["prv_candidates.isdiffpos"][1].tolist() == ["t", None]


def test_a_list_of_numbers_is_an_array_too() -> None:
    cells = _frame([ALERT, BARE], "weights")["weights"]
    np.testing.assert_array_equal(cells[0], [1.0, np.nan])
    assert cells[1] is None


def test_text_and_bytes_stay_what_they_are() -> None:
    frame = _frame([ALERT, BARE], "objectId", "candidate.isdiffpos", "stamp")
    assert frame["objectId"].tolist() == ["ZTF18abc", "ZTF18abd"]
    assert frame["candidate.isdiffpos"].tolist() == ["t", None]
    assert frame["stamp"].tolist() == [b"\x00\xff", None]


def test_no_alerts_give_empty_columns() -> None:
    frame = _frame([], "candid", "candidate.jd", "prv_candidates.magpsf", "objectId")
    assert frame.shape == (0, 4)


def test_a_value_of_another_type_is_an_error() -> None:
    with pytest.raises((pa.ArrowException, TypeError, ValueError, OverflowError)):
        _frame([{**ALERT, "candid": "ZTF"}], "candid")


def test_only_the_fields_on_the_paths_are_in_the_type() -> None:
    kind = alert_type(SCHEMA, ["candid", "prv_candidates.jd", "prv_candidates.fid"])
    assert kind == pa.struct(
        {"candid": pa.int64(), "prv_candidates": pa.list_(pa.struct({"jd": pa.float64(), "fid": pa.int32()}))}
    )


PATHS = ("candid", "candidate.candid", "candidate.magpsf", "prv_candidates.magpsf", "prv_candidates.isdiffpos", "stamp")
ALERTS = st.lists(
    st.sampled_from([ALERT, BARE, {**ALERT, "prv_candidates": []}, {"candid": 1}]), min_size=1, max_size=6
)


@given(ALERTS)
def test_rows_of_a_table_give_what_decoded_alerts_give(alerts: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(
        alerts, pa.schema(list(alert_type(SCHEMA, [field["name"] for field in SCHEMA["fields"]])))
    )
    decoded, rows = _frame(alerts, *PATHS), _from_table(table, *PATHS)
    pd.testing.assert_frame_equal(decoded, rows)


@given(ALERTS, st.data())
def test_a_part_of_a_table_gives_its_own_rows(alerts: list[dict[str, Any]], data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(alerts) - 1))
    kind = alert_type(SCHEMA, PATHS)
    part = frame_of(batch_of(alerts, kind).slice(begin), kind, PATHS)
    pd.testing.assert_frame_equal(part, _frame(alerts[begin:], *PATHS))


def test_columns_a_table_does_not_have_are_null() -> None:
    table = pa.table({"candid": [CANDID], "candidate": [{"jd": 1.0}], "prv_candidates": [[{"jd": 2.0}]]})
    frame = _from_table(
        table, "candid", "candidate.magpsf", "prv_candidates.jd", "prv_candidates.magpsf", "stamp", "weights"
    )
    assert np.isnan(frame["candidate.magpsf"][0])
    assert frame["prv_candidates.jd"][0].tolist() == [2.0]
    np.testing.assert_array_equal(frame["prv_candidates.magpsf"][0], [np.nan])
    assert frame["stamp"].tolist() == [None]
    assert frame["weights"].tolist() == [None]


def test_a_column_of_nulls_alone_is_null() -> None:
    table = pa.table({"candid": [1], "prv_candidates": pa.nulls(1), "candidate": pa.nulls(1), "stamp": pa.nulls(1)})
    frame = _from_table(table, "prv_candidates.magpsf", "candidate.fid", "stamp")
    assert frame["prv_candidates.magpsf"].tolist() == [None]
    assert frame["candidate.fid"].tolist() == [pd.NA]
    assert frame["stamp"].tolist() == [None]


@pytest.mark.parametrize(
    "wide",
    [
        pa.large_list(pa.struct({"fid": pa.int64(), "magpsf": pa.float64()})),
        pa.list_(pa.struct({"fid": pa.float64(), "magpsf": pa.float64()}), 2),
    ],
    ids=["large list", "list of fixed size"],
)
def test_other_widths_of_the_same_values_are_taken(wide: pa.DataType) -> None:
    points = [{"fid": 1, "magpsf": 17.25}, {"fid": 2, "magpsf": None}]
    table = pa.table({"prv_candidates": pa.array([points], wide), "objectId": pa.array(["a"]).dictionary_encode()})
    frame = _from_table(table, "prv_candidates.fid", "prv_candidates.magpsf", "objectId")
    assert frame["prv_candidates.fid"][0].tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(frame["prv_candidates.magpsf"][0], [17.25, np.nan])
    assert frame["objectId"].tolist() == ["a"]


def test_whole_numbers_pandas_made_floats_of_are_taken() -> None:
    table = pa.table({"candidate": [{"fid": 1.0}, {"fid": float("nan")}, {"fid": None}]})
    assert _from_table(table, "candidate.fid")["candidate.fid"].tolist() == [1, pd.NA, pd.NA]


@pytest.mark.parametrize(
    ("column", "path", "why"),
    [
        (pa.array([float(CANDID)]), "candid", "column 'candid': must be int64, as in the survey's alerts; got double"),
        (pa.array([{"fid": 1.5}]), "candidate.fid", "must be int32"),
        (pa.array([{"jd": "soon"}]), "candidate.jd", "must be double"),
        (pa.array([[{"jd": 1.0}]]), "candidate.jd", "must be in no list"),
        (pa.array([{"jd": 1.0}]), "prv_candidates.jd", "must be in a list"),
    ],
)
def test_a_column_that_is_something_else_is_asked_wrongly(column: pa.Array, path: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        _from_table(pa.table({path.partition(".")[0]: column}), path)


def test_fields_are_looked_up_through_lists() -> None:
    kind = alert_type(SCHEMA, ["candidate", "prv_candidates.jd"])
    assert has_field(kind, "prv_candidates.jd")
    assert has_field(kind, "candidate")
    assert not has_field(kind, "prv_candidates.magpsf")
    assert not has_field(kind, "candidate.jd.more")
