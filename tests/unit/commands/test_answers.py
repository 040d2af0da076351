from __future__ import annotations

import datetime as dt
import io
import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.commands.answers import WRITERS, Format, must_be_writable, show, write
from fink_dagster.errors import OperationError, UserError
from fink_dagster.hbase.meanings import column_meanings
from fink_dagster.surveys import get_survey

MEANINGS = column_meanings(get_survey("ztf"))
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TYPES = {
    "objectId": "string",
    "candid": "Int64",
    "jd": "Float64",
    "magpsf": "Float32",
    "fid": "Int32",
    "is_transient": "boolean",
    "brokerEndProcessTimestamp": "datetime64[us, UTC]",
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "objectId": st.text(st.characters(categories=("L", "N"), include_characters="_,\"'<&"), min_size=1, max_size=20),
    "candid": st.integers(-(2**63), 2**63 - 1),
    "jd": st.floats(allow_nan=False, allow_infinity=False),
    "magpsf": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "fid": st.integers(-(2**31), 2**31 - 1),
    "is_transient": st.booleans(),
    "brokerEndProcessTimestamp": st.integers(0, 7 * 10**15).map(lambda us: EPOCH + dt.timedelta(microseconds=us)),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=6)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=kind) for name, kind in TYPES.items()})


def _one(**values: Any) -> pd.DataFrame:
    return _frame([{**dict.fromkeys(TYPES), **values}])


def _read_csv(text: str) -> pd.DataFrame:
    types = {name: kind for name, kind in TYPES.items() if not kind.startswith("datetime")}
    frame = pd.read_csv(io.StringIO(text), dtype=types, keep_default_na=False, na_values=[""])  # type: ignore[arg-type]
    moments = pd.to_datetime(frame["brokerEndProcessTimestamp"], utc=True, format="ISO8601")
    return frame.assign(brokerEndProcessTimestamp=moments.astype("datetime64[us, UTC]"))


def _read_votable(file: Path) -> pd.DataFrame:
    table = Table.read(file, format="votable")
    columns = {}
    for name, kind in TYPES.items():
        values = [None if value is None or value == "" else value for value in table[name].tolist()]
        if kind.startswith("datetime"):
            values = [value and dt.datetime.fromisoformat(value) for value in values]
        columns[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(columns)


@settings(max_examples=20)
@given(rows=ROWS)
def test_every_format_reads_back_equal(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    frame, folder = _frame(rows), tmp_path_factory.mktemp("answers")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ending in WRITERS:
            write(frame, folder / f"a{ending}", MEANINGS)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "a.parquet"), frame)
    pd.testing.assert_frame_equal(_read_csv((folder / "a.csv").read_text()), frame, check_exact=True)
    for name in ("a.vot", "a.xml"):
        pd.testing.assert_frame_equal(_read_votable(folder / name), frame, check_exact=True)


@settings(max_examples=30)
@given(rows=ROWS)
def test_json_has_every_digit_and_nulls(rows: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("typer.echo", lambda text, **_: printed.append(text))
        show(_frame(rows), Format.JSON)
    read = json.loads(printed[0])
    for row in read:
        row["brokerEndProcessTimestamp"] = row["brokerEndProcessTimestamp"] and dt.datetime.fromisoformat(
            row["brokerEndProcessTimestamp"]
        )
    assert read == rows


def test_a_votable_says_units_and_meanings(tmp_path: Path) -> None:
    write(_one(magpsf=17.5), tmp_path / "a.vot", MEANINGS)
    table = Table.read(tmp_path / "a.vot")
    assert (str(table["magpsf"].unit), table["magpsf"].description) == ("mag", "PSF mag of the difference")
    assert (str(table["jd"].unit), table["candid"].dtype) == ("d", "int64")
    assert "64-bit" in table["candid"].description


def test_a_table_shows_the_main_columns_and_identifiers_whole_and_csv_has_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frame = _one(candid=2**62 + 1, magpsf=17.512345, objectId="[x]" * 30)
    show(frame, Format.TABLE, ["objectId", "candid", "magpsf", "absent"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["objectId", "candid", "magpsf"], ["[x]" * 30, str(2**62 + 1), "17.512"]]
    show(frame, Format.CSV, ["candid"])
    assert capsys.readouterr().out.splitlines()[0] == ",".join(TYPES)


@pytest.mark.parametrize(
    ("name", "why"), [("a.fits", "must end in .csv"), ("none/a.csv", "folder that is there"), ("there.csv", "not be")]
)
def test_what_cannot_be_written_is_refused_before_anything_is_read(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "there.csv").write_text("kept")
    with pytest.raises(UserError, match=why) as refused:
        must_be_writable(tmp_path / name, tuple(WRITERS), overwrite=False)
    assert len(str(refused.value).splitlines()) == 1
    must_be_writable(tmp_path / "there.csv", tuple(WRITERS), overwrite=True)
    assert (tmp_path / "there.csv").read_text() == "kept"


def test_a_file_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_frame: object, file: Path, _meanings: object) -> None:
        file.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(WRITERS, ".csv", fail)
    with pytest.raises(OperationError, match="No space left on device"):
        write(_one(), tmp_path / "a.csv", MEANINGS)
    assert list(tmp_path.iterdir()) == []
