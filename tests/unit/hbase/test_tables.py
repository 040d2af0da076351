from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.rows import row_cells
from fink_dagster.hbase.tables import Column, Table, archive_tables, schema_row
from fink_dagster.surveys import get_survey

ADDED = [("roid", "int"), ("is_transient", "boolean")]
SCIENCE = [*ADDED, ("finkclass", "string"), ("pixel128", "int"), ("cdsxmatch", "string")]
RECORD = {"objectId": "ZTF18abyouwp", "candid": 697251920015010010, "jd": 2458451.7519213, "night": "2018-11-29"}


@pytest.fixture
def table() -> Table:
    return archive_tables(get_survey("ztf"), ADDED)[0]


def test_family_i_has_the_scalar_fields_of_alert_and_candidate_and_family_d_what_is_added(table: Table) -> None:
    by_name = {column.name: column for column in table.columns}
    assert by_name["jd"] == Column("jd", "candidate.jd", "i", "double")
    assert by_name["objectId"] == Column("objectId", "objectId", "i", "string")
    assert by_name["roid"] == Column("roid", "roid", "d", "int")
    assert by_name["night"] == Column("night", "night", "d", "string")
    assert not by_name.keys() & {"candidate", "prv_candidates", "fp_hists", "cutoutScience", "stampData"}
    assert sum(column.family == "i" for column in table.columns) == 106
    assert (table.name, table.families) == ("ztf", ("i", "d"))


def test_the_identifier_that_the_packet_has_twice_is_one_cell(table: Table) -> None:
    assert [column.path for column in table.columns if column.name == "candid"] == ["candid"]


def test_a_field_that_came_since_is_a_column() -> None:
    survey = get_survey("ztf")
    fields = [*survey.alert_schema["fields"], {"name": "newcomer", "type": ["null", "float"]}]
    table = archive_tables(survey, ADDED, alert_schema={**survey.alert_schema, "fields": fields})[0]
    assert Column("newcomer", "newcomer", "i", "float") in table.columns


def test_a_night_given_among_the_added_columns_is_not_added_again() -> None:
    table = archive_tables(get_survey("ztf"), [("night", "date")])[0]
    assert [column.type for column in table.columns if column.name == "night"] == ["date"]


def test_cells_are_named_by_family_and_column_and_hold_the_values(table: Table) -> None:
    key, cells = row_cells(table, {**RECORD, "fid": 1, "magpsf": 17.5, "roid": 3, "is_transient": True})
    assert key == b"ZTF18abyouwp_2458451.7519213_697251920015010010"
    assert decode(cells[b"i:candid"], "bigint") == RECORD["candid"]
    assert decode(cells[b"i:magpsf"], "float") == 17.5
    assert (cells[b"d:roid"], cells[b"d:night"]) == (b"\x00\x00\x00\x03", b"2018-11-29")
    assert cells[b"d:is_transient"] == b"true"


def test_every_row_has_every_cell_so_that_a_null_replaces_a_value(table: Table) -> None:
    _, cells = row_cells(table, {**RECORD, "ssnamenr": None})
    assert len(cells) == len(table.columns)
    assert cells[b"i:ssnamenr"] == cells[b"i:magpsf"] == cells[b"d:roid"] == b""


@pytest.mark.parametrize("missing", ["objectId", "jd", "candid"])
def test_a_row_without_a_part_of_its_key_is_refused(table: Table, missing: str) -> None:
    with pytest.raises(OperationError, match=f"must have {missing}"):
        row_cells(table, {**RECORD, missing: None})


def test_a_row_without_its_night_is_refused(table: Table) -> None:
    with pytest.raises(OperationError, match="must have night"):
        row_cells(table, {**RECORD, "night": None})


@pytest.mark.parametrize(("name", "value"), [("candid", 6.9e17), ("roid", 1.0), ("magpsf", "bright"), ("fid", 2**40)])
def test_a_value_of_another_type_is_refused_by_the_name_of_its_column(table: Table, name: str, value: Any) -> None:
    with pytest.raises(OperationError, match=f"column {name} must be"):
        row_cells(table, {**RECORD, name: value})


def test_the_schema_row_names_the_types_the_bytes_have(table: Table) -> None:
    key, cells = schema_row(table, "0.1.0", "0.2.0")
    assert key == b"schema_0.1.0_0.2.0"
    assert {cells[name] for name in (b"i:fid", b"d:roid")} == {b"integer"}
    assert (cells[b"i:candid"], cells[b"i:jd"], cells[b"i:magpsf"]) == (b"long", b"double", b"float")
    assert (cells[b"i:objectId"], cells[b"d:is_transient"]) == (b"string", b"string")
    assert cells.keys() == row_cells(table, RECORD)[1].keys()


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ([("roid", "int"), ("roid", "int")], "must occur once; got 'roid'"),
        ([("publisher", "string")], "must occur once; got 'publisher'"),
        ([("a:b", "int")], "must be letters"),
        ([("a" * 101, "int")], "must be letters"),
        ([("lc", "array<float>")], "column lc must be one of int, .*; got 'array<float>'"),
    ],
)
def test_a_column_that_cannot_be_one_is_refused(added: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(OperationError, match=words):
        archive_tables(get_survey("ztf"), added)


def test_a_table_name_with_a_path_in_it_is_refused(table: Table) -> None:
    with pytest.raises(OperationError, match="hbase table name: must be"):
        dataclasses.replace(table, name="../ztf")


def test_index_tables_have_the_names_and_keys_of_upstream_and_the_identifier_where_a_row_is_an_alert() -> None:
    tables = {table.name: table.key for table in archive_tables(get_survey("ztf"), SCIENCE)}
    assert tables == {
        "ztf": ("objectId", "jd", "candid"),
        "ztf.pixel128": ("pixel128", "jdstarthist", "objectId"),
        "ztf.class": ("finkclass", "jd", "objectId", "candid"),
        "ztf.ssnamenr": ("ssnamenr", "jd", "candid"),
        "ztf.tracklet": ("tracklet", "objectId", "candid"),
        "ztf.tns": ("tns", "jd", "objectId", "candid"),
        "ztf.upper": ("objectId", "jd"),
        "ztf.uppervalid": ("objectId", "jd", "candid"),
        "ztf.cutouts": ("objectId", "jd", "candid"),
    }


def test_columns_nobody_adds_are_left_out_of_an_index_table_unless_its_key_needs_them() -> None:
    tables = {table.name: table for table in archive_tables(get_survey("ztf"), SCIENCE)}
    assert {"roid", "finkclass", "magpsf", "night"} <= tables["ztf.class"].by_name.keys()
    assert not {"mulens", "tracklet"} & tables["ztf.class"].by_name.keys()
    assert tables["ztf.tracklet"].by_name["tracklet"] == Column("tracklet", "tracklet", "d", "string")


def test_points_of_a_history_have_columns_of_their_own_and_the_object_of_their_alert() -> None:
    (table,) = [table for table in archive_tables(get_survey("ztf"), SCIENCE) if table.name == "ztf.uppervalid"]
    assert table.by_name["candid"] == Column("candid", "candid", "i", "bigint")
    assert {column.path for column in table.columns} >= {"objectId", "jd", "magpsf", "night"}
    assert not table.of_alerts


def test_every_column_of_an_index_of_alerts_is_one_of_the_main_table() -> None:
    main, *others = archive_tables(get_survey("ztf"), [*SCIENCE, ("tracklet", "string"), ("tns", "string")])
    for table in others:
        if table.history is None:
            assert set(table.columns) <= set(main.columns), table.name
