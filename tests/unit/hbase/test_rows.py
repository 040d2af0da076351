from __future__ import annotations

import pytest

from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.rows import key_of, rows_of_alert, rows_of_points
from fink_dagster.hbase.tables import Table, archive_tables
from fink_dagster.surveys import get_survey
from tests.toy import Toy

ZTF = get_survey("ztf")
ADDED = [("roid", "int"), ("finkclass", "string"), ("pixel128", "int"), ("tns", "string"), ("topic", "string")]
TABLES = {table.name: table for table in archive_tables(ZTF, ADDED)}
ALERT = {
    "objectId": "ZTF18abyouwp",
    "candid": 697251920015010010,
    "jd": 2458451.7519213,
    "jdstarthist": 2458400.5,
    "night": "2018-11-29",
    "ssnamenr": "76820",
    "roid": 3,
    "finkclass": "Solar System MPC",
    "pixel128": 65536,
    "topic": "t",
}


def of_alerts(**values: object) -> dict[str, bytes]:
    tables = [table for table in TABLES.values() if table.of_alerts]
    return {name: row.key for name, row in rows_of_alert(tables, {**ALERT, **values}, 7).items()}


def test_an_alert_has_a_row_in_every_table_whose_key_it_has() -> None:
    assert of_alerts() == {
        "ztf": b"ZTF18abyouwp_2458451.7519213_697251920015010010",
        "ztf.class": b"Solar System MPC_2458451.7519213_ZTF18abyouwp_697251920015010010",
        "ztf.ssnamenr": b"76820_2458451.7519213_697251920015010010",
        "ztf.cutouts": b"ZTF18abyouwp_2458451.7519213_697251920015010010",
    }


@pytest.mark.parametrize(
    ("values", "absent"),
    [
        ({"roid": 2}, "ztf.ssnamenr"),
        ({"roid": None}, "ztf.ssnamenr"),
        ({"ssnamenr": None}, "ztf.ssnamenr"),
        ({"ssnamenr": ""}, "ztf.ssnamenr"),
        ({"finkclass": None}, "ztf.class"),
    ],
)
def test_an_alert_without_a_part_of_a_key_or_that_fails_a_cut_has_no_row_there(
    values: dict[str, object], absent: str
) -> None:
    assert absent not in of_alerts(**values)
    assert "ztf" in of_alerts(**values)


def test_a_name_in_the_transient_name_server_makes_a_row() -> None:
    assert of_alerts(tns="(TNS) SN Ia")["ztf.tns"].startswith(b"(TNS) SN Ia_2458451.7519213_")


def test_cells_of_an_index_are_those_of_the_main_table() -> None:
    rows = rows_of_alert([table for table in TABLES.values() if table.of_alerts], ALERT, 7)
    main = rows["ztf"].cells
    assert all(main[name] == cell for row in rows.values() for name, cell in row.cells.items())
    assert {row.timestamp_ms for row in rows.values()} == {7}
    assert all(b"d:night" in row.cells for row in rows.values())


@pytest.mark.parametrize("pixel", [None, 0, 196607])
def test_an_object_off_the_sky_has_no_key_among_pixels_and_pixel_zero_is_one(pixel: int | None) -> None:
    key = key_of(TABLES["ztf.pixel128"], {**ALERT, "pixel128": pixel})
    assert key == (None if pixel is None else b"%d_2458400.5_ZTF18abyouwp" % pixel)


def points(table: Table, *found: dict[str, object]) -> dict[bytes, object]:
    rows = rows_of_points(ZTF, table, ALERT, found, 7)
    return {row.key: decode(row.cells[b"d:night"], "string") for row in rows}


def test_a_point_has_the_night_of_its_own_time_and_the_object_of_its_alert() -> None:
    found = points(TABLES["ztf.upper"], {"jd": 2458450.75, "fid": 1, "diffmaglim": 20.5})
    assert found == {b"ZTF18abyouwp_2458450.75": "2018-11-28"}


def test_measured_points_of_one_time_are_told_apart_by_their_identifier() -> None:
    found = points(
        TABLES["ztf.uppervalid"], *({"jd": 2458450.75, "candid": candid, "magpsf": 18.0} for candid in (1, 2))
    )
    assert sorted(found) == [b"ZTF18abyouwp_2458450.75_1", b"ZTF18abyouwp_2458450.75_2"]


@pytest.mark.parametrize("jd", [None, float("nan"), 0.0])
def test_a_point_whose_time_is_none_has_no_row(jd: float | None) -> None:
    assert points(TABLES["ztf.upper"], {"jd": jd, "fid": 1, "diffmaglim": 20.5}) == {}


def test_a_survey_without_index_tables_has_its_main_one() -> None:
    assert [table.name for table in archive_tables(Toy(), [])] == ["toy"]
