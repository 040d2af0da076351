from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from fink_dagster.cli import app
from fink_dagster.commands import objects as module
from fink_dagster.errors import FinkError, OperationError, TransientError, UserError
from fink_dagster.hbase import reader as reading
from fink_dagster.hbase import scans
from fink_dagster.science import sky
from fink_dagster.surveys import get_survey
from tests.hbase import FakeHBase
from tests.toy import Toy

SURVEY = get_survey("ztf")
JD, CANDID, NAME = 2458451.7519213, 2**60 + 1, "ZTF18abyouwp"
PIXEL = int(sky.pixels(np.array([10.0]), np.array([-20.0]), 128)[0])
PLACE = {"ra": 10.0, "dec": -20.0, "pixel128": PIXEL, "jdstarthist": JD}


def _alert(number: int = 0, name: str = NAME, **values: Any) -> dict[str, Any]:
    known = {"objectId": name, "candid": CANDID + number, "jd": JD + number, "night": f"2018-11-{29 + number}"}
    return {**known, "fid": 1, "magpsf": 17.5, "sigmapsf": 0.1, "isdiffpos": "t", "finkclass": "EB*", **PLACE, **values}


@pytest.fixture(autouse=True)
def hbase(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHBase:
    """Two alerts of one object with an upper limit and a bad point, one of another."""
    made = FakeHBase(SURVEY)
    limit, bad = {"jd": JD - 2, "fid": 2, "diffmaglim": 19.5}, {"jd": JD - 1, "fid": 2, "magpsf": 18.5, "candid": 1}
    made.put(_alert(1), _alert(0), points=[limit, bad])
    made.put(_alert(0, "ZTF19other", candid=7, finkclass="Unknown", dec=-20.001))
    monkeypatch.setenv("FINK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(scans, "connect", made)
    monkeypatch.setattr(module, "tables_of", lambda _: made.declared)
    return made


def _asked(command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [command, *arguments])


def _rows(command: str, *arguments: str) -> list[dict[str, Any]]:
    done = _asked(command, *arguments, "--format", "json")
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _error(command: str, *arguments: str) -> FinkError:
    result = _asked(command, *arguments)
    assert isinstance(result.exception, FinkError), result.output
    assert len(str(result.exception).splitlines()) == 1
    return result.exception


def test_an_object_is_printed_as_a_table_of_the_main_columns() -> None:
    lines = [line.split() for line in _asked("object", NAME).stdout.splitlines()]
    head = ["objectId", "candid", "jd", "ra", "dec", "fid", "magpsf", "sigmapsf", "diffmaglim", "finkclass"]
    assert lines[0] == head
    assert [line[:3] for line in lines[1:]] == [[NAME, str(CANDID), f"{JD}"], [NAME, str(CANDID + 1), f"{JD + 1}"]]


def test_several_objects_may_be_given_by_comma_and_those_without_alerts_are_named() -> None:
    done = _asked("object", f"{NAME},ZTF19other", "ZTF20absent", "--columns", "candid", "--format", "csv")
    assert done.stdout.splitlines() == ["candid", str(CANDID), str(CANDID + 1), "7"]
    assert done.stderr.splitlines() == ["object ZTF20absent: no alerts"]


def test_upper_limits_and_nights_are_asked_for_by_option() -> None:
    assert [row["tag"] for row in _rows("object", NAME, "--with-upper")] == ["upperlim", "badquality", "valid", "valid"]
    assert [row["candid"] for row in _rows("object", NAME, "--nights", "2018-11-30")] == [CANDID + 1]
    assert [row["candid"] for row in _rows("object", NAME, "--nights", "2018-11-01..2018-11-29")] == [CANDID]


def test_an_answer_goes_to_a_file_and_replaces_none_unless_told_to(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    done = _asked("object", NAME, "--columns", "candid,jd", "--output", str(file))
    assert done.stdout == f"written: {file}, 2 rows\n"
    assert pd.read_parquet(file).to_dict("list") == {"candid": [CANDID, CANDID + 1], "jd": [JD, JD + 1]}
    assert isinstance(_error("object", NAME, "--output", str(file)), UserError)
    assert _asked("object", "ZTF19other", "--output", str(file), "--overwrite").exit_code == 0
    assert pd.read_parquet(file)["candid"].tolist() == [7]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_a_light_curve_is_drawn_and_the_columns_asked_for_are_printed_all_the_same(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"curve.{ending}"
    rows = _rows("object", NAME, "--with-upper", "--plot", str(file), "--columns", "candid")
    assert rows == [{"candid": candid} for candid in (None, 1, CANDID, CANDID + 1)]
    begins = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[ending]
    assert file.read_bytes().startswith(begins)


def test_objects_around_a_place_are_printed_nearest_first_south_of_the_equator_too() -> None:
    rows = _rows("cone", "10", "-20.0", "1arcmin")
    assert [(row["objectId"], row["candid"]) for row in rows] == [(NAME, CANDID), ("ZTF19other", 7)]
    assert rows[1]["separation_arcsec"] == pytest.approx(3.6)
    assert [row["objectId"] for row in _rows("cone", "00h40m00s", "-20:00:00", "1", "--columns", "objectId")] == [NAME]
    assert _rows("cone", "10", "-20", "5", "--first-detected", "2018-11-30") == []


def test_the_newest_of_a_class_and_what_classes_there_are_are_printed() -> None:
    assert [row["candid"] for row in _rows("alerts", "finkclass", "EB*", "--limit", "1")] == [CANDID + 1]
    assert _asked("alerts", "finkclass").stdout.splitlines() == ["EB*", "Unknown"]


def test_alerts_of_nights_are_printed(monkeypatch: pytest.MonkeyPatch, hbase: FakeHBase) -> None:
    keys = [key for key in hbase.table("ztf").held if key.startswith(b"ZTF18")]
    asked = []
    monkeypatch.setattr(reading, "keys_between", lambda _address, _table, *nights: asked.append(nights) or keys)
    rows = _rows("alerts", "night", "2018-11-29..2018-11-30", "--columns", "candid")
    assert [row["candid"] for row in rows] == [CANDID + 1, CANDID]
    assert [tuple(night.key for night in nights) for nights in asked] == [("2018-11-29", "2018-11-30")]


def test_what_the_archive_does_not_have_is_an_error_with_the_nearest_where_there_is_one() -> None:
    absent = _error("object", "ZTF20absent")
    assert isinstance(absent, OperationError)
    assert "must have alerts in the archive; got none" in str(absent)
    assert "did you mean 'Unknown'" in str(_error("alerts", "finkclass", "Unknwon"))
    assert isinstance(_error("alerts", "ssnamenr", "8467"), OperationError)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("object", "ZTF18' OR 1=1 --"), "object: must be a name"),
        (("object", NAME, "--columns", "magpfs"), "did you mean 'magpsf'"),
        (("object", NAME, "--nights", "2018-11-30..2018-11-29"), "must end after they begin"),
        (("object", NAME, "--nights", "yesterday"), "must be a date"),
        (("object", NAME, "--plot", "a.bmp"), "must end in .png, .pdf, .svg"),
        (("object", NAME, "ZTF19other", "--plot", "a.png"), "must be of one object; got 2"),
        (("object", NAME, "--output", "a.xlsx"), "must end in .csv"),
        (("object", NAME, "--survey", "zft"), "did you mean 'ztf'"),
        (("cone", "x", "0", "5"), "right ascension must be"),
        (("cone", "0", "-91", "5"), "centre must be within"),
        (("cone", "0", "0", "6deg"), "at most 18000 arcsec"),
        (("cone", "0", "0", "0"), "must be above 0"),
        (("alerts", "finkclas", "EB*"), "did you mean 'finkclass'"),
        (("alerts", "finkclass", "x; DROP TABLE"), "finkclass: must be letters"),
        (("alerts", "night", "2018-13-01"), "must be a date"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_done(
    words: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scans, "connect", lambda *_: pytest.fail("HBase was asked"))
    refused = _error(*words)
    assert isinstance(refused, UserError)
    assert why in str(refused)
    assert list(tmp_path.iterdir()) == []


def test_hbase_away_is_an_error_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("FINK_HBASE_ADDRESS", "127.0.0.1:9")
    for words in (
        ("object", NAME),
        ("cone", "0", "0", "5"),
        ("alerts", "finkclass"),
        ("alerts", "night", "2018-11-29"),
    ):
        assert isinstance(_error(*words), TransientError)


def test_a_survey_without_light_curves_has_no_plot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = FakeHBase(Toy())
    monkeypatch.setattr(scans, "connect", fake)
    monkeypatch.setattr(module, "get_survey", lambda _: fake.survey)
    monkeypatch.setattr(module, "tables_of", lambda _: fake.declared)
    fake.put({"sourceId": 2**60 + 1, "objectName": "a", "mjd": 60000.0, "night": "2023-02-24"})
    assert [row["sourceId"] for row in _rows("object", "a")] == [2**60 + 1]
    assert _asked("object", "a").exit_code == 0
    assert "toy declares none" in str(_error("object", "a", "--plot", str(tmp_path / "a.png")))
    assert "toy has none" in str(_error("cone", "0", "0", "5"))
