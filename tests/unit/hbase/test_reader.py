from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.errors import OperationError, TransientError, UserError
from fink_dagster.hbase import reader as module
from fink_dagster.hbase import scans
from fink_dagster.hbase.reader import ArchiveReader
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night
from tests.hbase import ADDED, FakeHBase
from tests.toy import Toy

SURVEY = get_survey("ztf")
NIGHT, NEXT = Night("2018-11-29"), Night("2018-11-30")
JD = 2458451.7519213
CANDID = 697251920015010010
NAME = "ZTF18abyouwp"


def _alert(number: int = 0, name: str = NAME, **values: Any) -> dict[str, Any]:
    jd = values.setdefault("jd", JD + number)
    night = SURVEY.night_rule.night(jd).key
    return {"objectId": name, "candid": CANDID + number, "night": night, "magpsf": 17.5, "fid": 1, **values}


@pytest.fixture
def hbase(monkeypatch: pytest.MonkeyPatch) -> FakeHBase:
    made = FakeHBase(SURVEY)
    monkeypatch.setattr(scans, "connect", made)
    return made


@pytest.fixture
def reader(hbase: FakeHBase) -> ArchiveReader:
    return ArchiveReader(("nowhere", 1), SURVEY, hbase.declared)


def test_an_object_is_found_with_all_its_alerts_oldest_first_and_nobody_elses(
    hbase: FakeHBase, reader: ArchiveReader
) -> None:
    hbase.put(_alert(2), _alert(0), _alert(1, "ZTF18abyouwpa"), _alert(3, "ZTF18abyouw"), _alert(4, "ZTF19other"))
    assert reader.objects(NAME)["candid"].tolist() == [CANDID, CANDID + 2]
    assert hbase.table("ztf").given == 2


def test_several_objects_are_found_at_once_and_one_without_alerts_has_no_rows(
    hbase: FakeHBase, reader: ArchiveReader
) -> None:
    hbase.put(_alert(0), _alert(1, "ZTF19other"), _alert(2))
    frame = reader.objects(["ZTF19other", NAME, "ZTF20absent", NAME])
    assert frame["candid"].tolist() == [CANDID, CANDID + 2, CANDID + 1]
    assert reader.objects("ZTF20absent").empty


def test_columns_have_flat_names_and_the_types_that_are_declared(hbase: FakeHBase, reader: ArchiveReader) -> None:
    ended = dt.datetime(2018, 11, 29, 6, 0, 0, 5, tzinfo=dt.UTC)
    hbase.put(_alert(roid=3, is_transient=False, brokerEndProcessTimestamp=ended, offset=2**62 + 1), _alert(1))
    frame = reader.objects(NAME)
    assert list(frame.columns) == [column.name for column in reader.main.columns]
    types = {"candid": "Int64", "jd": "Float64", "magpsf": "Float32", "roid": "Int32", "is_transient": "boolean"}
    types |= {"objectId": "string", "night": "string", "brokerEndProcessTimestamp": "datetime64[us, UTC]"}
    assert {name: str(frame[name].dtype) for name in types} == types
    first, second = frame.to_dict("records")
    assert (first["candid"], first["offset"], first["night"]) == (CANDID, 2**62 + 1, NIGHT.key)
    assert (first["roid"], first["is_transient"], first["brokerEndProcessTimestamp"]) == (3, False, ended)
    assert all(pd.isna(second[name]) for name in ("roid", "is_transient", "offset", "ssnamenr"))
    assert second["brokerEndProcessTimestamp"] is pd.NaT


def test_an_answer_without_rows_has_the_same_types(reader: ArchiveReader, hbase: FakeHBase) -> None:
    empty = reader.objects(NAME)
    hbase.put(_alert())
    assert empty.dtypes.equals(reader.objects(NAME).dtypes)


def test_columns_asked_for_are_all_there_is_in_their_order(hbase: FakeHBase, reader: ArchiveReader) -> None:
    hbase.put(_alert(1), _alert())
    frame = reader.objects(NAME, columns=["magpsf", "jd", "magpsf"])
    assert frame.to_dict("list") == {"magpsf": [17.5, 17.5], "jd": [JD, JD + 1]}


def test_an_alert_put_before_a_column_was_there_is_found_by_that_column_too(
    hbase: FakeHBase, reader: ArchiveReader
) -> None:
    hbase.put(_alert())
    [cells] = [cells for key, cells in hbase.table("ztf").held.items() if key.startswith(b"ZTF")]
    del cells[b"d:roid"]
    assert reader.objects(NAME, columns=["roid"])["roid"].isna().tolist() == [True]


def test_only_nights_asked_for_are_read(hbase: FakeHBase, reader: ArchiveReader) -> None:
    begin = 2458451.5
    times = [begin - 1e-7, begin, begin + 0.75, begin + 1 - 1e-7, begin + 1, begin + 10]
    hbase.put(*(_alert(number, jd=jd) for number, jd in enumerate(times)))
    assert reader.objects(NAME, nights=(NIGHT, NIGHT))["jd"].tolist() == times[1:4]
    assert hbase.table("ztf").given == 3


def test_upper_limits_and_bad_points_come_with_their_tag_and_in_time(hbase: FakeHBase, reader: ArchiveReader) -> None:
    limit = {"jd": JD - 2, "fid": 2, "diffmaglim": 19.5}
    bad = {"jd": JD - 1, "fid": 2, "magpsf": 18.5, "candid": CANDID - 1}
    hbase.put(_alert(), points=[limit, bad])
    frame = reader.objects(NAME, with_upper=True)
    assert frame["tag"].tolist() == ["upperlim", "badquality", "valid"]
    assert frame["candid"].tolist() == [pd.NA, CANDID - 1, CANDID]
    assert str(frame["candid"].dtype) == "Int64"
    assert frame["night"].tolist() == ["2018-11-27", "2018-11-28", "2018-11-29"]
    assert reader.objects(NAME)["candid"].tolist() == [CANDID]
    asked = reader.objects(NAME, columns=["tag", "diffmaglim"], with_upper=True)
    assert asked["diffmaglim"].tolist() == [19.5, pd.NA, pd.NA]


def test_a_bad_point_at_the_time_of_an_alert_of_the_object_is_that_alert(
    hbase: FakeHBase, reader: ArchiveReader
) -> None:
    hbase.put(_alert(0), points=[{"jd": JD, "magpsf": 18.5, "candid": CANDID}, {"jd": JD, "diffmaglim": 19.5}])
    hbase.put(_alert(1, "ZTF19other"), points=[{"jd": JD, "magpsf": 18.5, "candid": CANDID + 9}])
    frame = reader.objects([NAME, "ZTF19other"], with_upper=True)
    assert frame["tag"].tolist() == ["valid", "upperlim", "badquality", "valid"]


def test_the_newest_alerts_of_a_class_come_first_and_no_more_are_read(hbase: FakeHBase, reader: ArchiveReader) -> None:
    hbase.put(*(_alert(number, f"ZTF{number}", finkclass="EB*") for number in range(50)))
    hbase.put(_alert(60, finkclass="EB*_Candidate"), _alert(61, finkclass="Unknown"))
    assert reader.latest("EB*", 3)["candid"].tolist() == [CANDID + 49, CANDID + 48, CANDID + 47]
    assert hbase.table("ztf.class").given == 4
    assert len(reader.alerts("finkclass", "EB*", nights=(NIGHT, NEXT))) == 2


@settings(max_examples=60)
@given(
    parts=st.lists(st.integers(0, 9999), min_size=1, max_size=30),
    number=st.integers(1, 12),
    days=st.sampled_from([1, 10, 1000]),
)
def test_the_newest_are_found_whatever_their_times_look_like_as_text(parts: list[int], number: int, days: int) -> None:
    fake = FakeHBase(SURVEY)
    alerts = [_alert(place, jd=2458451.0 + part / days, finkclass="EB*") for place, part in enumerate(parts)]
    fake.put_into("ztf.class", *alerts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scans, "connect", fake)
        found = ArchiveReader(("nowhere", 1), SURVEY, fake.declared).latest("EB*", number)
    newest = sorted(((alert["jd"], alert["candid"]) for alert in alerts), reverse=True)[:number]
    assert list(zip(found["jd"], found["candid"], strict=True)) == newest


def test_alerts_of_an_asteroid_are_found_by_its_name(hbase: FakeHBase, reader: ArchiveReader) -> None:
    hbase.put(_alert(0, "ZTF1", ssnamenr="8467", roid=3), _alert(1, "ZTF2", ssnamenr="8467", roid=3))
    hbase.put(_alert(2, "ZTF3", ssnamenr="84671", roid=3), _alert(3, "ZTF4", ssnamenr="8467", roid=0))
    assert reader.alerts("ssnamenr", "8467")["objectId"].tolist() == ["ZTF2", "ZTF1"]


def test_a_table_whose_keys_hold_no_time_is_searched_all_the_same(hbase: FakeHBase, reader: ArchiveReader) -> None:
    hbase.put(*(_alert(number, f"ZTF{9 - number}", tracklet="TRCK_1") for number in range(4)))
    assert reader.alerts("tracklet", "TRCK_1", newest=2)["candid"].tolist() == [CANDID + 3, CANDID + 2]
    assert reader.alerts("tracklet", "TRCK_1", nights=(NEXT, NEXT))["candid"].tolist() == [CANDID + 1]


def test_alerts_of_a_night_are_found_whatever_the_object(
    hbase: FakeHBase, reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    hbase.put(_alert(0), _alert(0.25, "ZTF2", candid=CANDID + 7), _alert(1))  # type: ignore[arg-type]
    keys = [key for key, cells in hbase.table("ztf").held.items() if cells[b"d:night"] == b"2018-11-29"]
    monkeypatch.setattr(module, "keys_between", lambda *asked: iter(keys) if asked[2:] == (NIGHT, NIGHT) else None)
    assert reader.nights(NIGHT, NIGHT)["candid"].tolist() == [CANDID + 7, CANDID]


def test_what_a_table_can_be_searched_for_is_listed_at_a_request_each(hbase: FakeHBase, reader: ArchiveReader) -> None:
    labels = ["EB*", "schema?", "SN candidate", "Solar System MPC", "a_b", "a", "z" * 300]
    hbase.put(*(_alert(number, finkclass=label, tracklet=label) for number in range(5) for label in labels))
    assert sorted(reader.values("finkclass")) == sorted(labels)
    assert hbase.table("ztf.class").given == len(labels) + 1
    assert sorted(reader.values("tracklet")) == sorted(labels)
    assert len(reader.alerts("finkclass", "schema?")) == len(reader.alerts("finkclass", "a")) == 5


@pytest.mark.parametrize("ask", ["ZTF18';DROP TABLE x", "", "a b", "schema\n", "x" * 65, "Ünicode", "%73chema"])
def test_what_no_object_can_be_called_is_refused(reader: ArchiveReader, ask: str) -> None:
    with pytest.raises(UserError, match="object: must be a name") as refused:
        reader.objects(ask)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("ask", ["x = 1", "a;b", "", "  ", 'a"', "x" * 101, "a\nb"])
def test_what_no_class_can_be_is_refused(reader: ArchiveReader, ask: str) -> None:
    with pytest.raises(UserError, match="finkclass: must be letters"):
        reader.latest(ask)


def test_a_column_that_is_not_there_is_refused_with_the_nearest(reader: ArchiveReader) -> None:
    asks: list[Callable[[], object]] = [
        lambda: reader.objects(NAME, columns=["magpfs"]),
        lambda: reader.latest("EB*", columns=["magpfs"]),
        lambda: reader.cone(1, 1, 1, columns=["magpfs"]),
        lambda: reader.nights(NIGHT, NIGHT, columns=["magpfs"]),
    ]
    for ask in asks:
        with pytest.raises(UserError, match="got 'magpfs'; did you mean 'magpsf'"):
            ask()
    with pytest.raises(UserError, match="got 'tag'"):
        reader.objects(NAME, columns=["tag"])
    with pytest.raises(UserError, match="got 'finkclas'; did you mean 'finkclass'"):
        reader.alerts("finkclas", "EB*")


def test_a_table_that_is_not_there_is_an_error_with_the_way_out(hbase: FakeHBase, reader: ArchiveReader) -> None:
    del hbase.held["ztf.class"]
    with pytest.raises(OperationError, match=r"hbase table ztf.class: must be there.*fink-dagster night"):
        reader.latest("EB*")


def test_hbase_away_is_an_error_that_may_pass() -> None:
    away = ArchiveReader(("127.0.0.1", 9), SURVEY, archive_tables(SURVEY, ADDED))
    with pytest.raises(TransientError, match="none did"):
        away.objects(NAME)


def test_a_survey_with_the_main_table_alone_says_so_when_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeHBase(Toy())
    monkeypatch.setattr(scans, "connect", fake)
    toy = ArchiveReader(("nowhere", 1), fake.survey, fake.declared)
    fake.put({"sourceId": 2**60 + 1, "objectName": "a", "mjd": 60000.0, "night": "2023-02-24"})
    assert toy.objects("a")["sourceId"].tolist() == [2**60 + 1]
    for ask in (
        lambda: toy.cone(1, 1, 1),
        lambda: toy.latest("EB*"),
        lambda: toy.objects("a", with_upper=True),
    ):
        with pytest.raises(UserError) as refused:
            ask()
        assert len(str(refused.value).splitlines()) == 1
