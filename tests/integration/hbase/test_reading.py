"""The archive of a real night, searched on a real HBase and compared with the lake and with brute force."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fink_dagster import surveys
from fink_dagster.cli import app
from fink_dagster.commands import objects as commands
from fink_dagster.errors import OperationError
from fink_dagster.hbase.cone import table_of_places
from fink_dagster.hbase.reader import ArchiveReader
from fink_dagster.hbase.rows import Row, row_cells
from fink_dagster.hbase.writer import put_rows
from fink_dagster.lake.lake import Lake
from fink_dagster.science import sky
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.stage import NightContext
from fink_dagster.surveys.base import Night
from tests.integration.stages.archives import drop, enriched
from tests.integration.stages.conftest import MESSAGES, TOPIC
from tests.packets import changed, decoded
from tests.toy import ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from fink_dagster.settings import Settings

NIGHT, ANOTHER = Night("2018-08-19"), Night("2018-08-20")
ASTEROID = "8467"


def _as_asteroid(record: dict[str, Any]) -> None:
    known = {"ssdistnr": 0.5, "ssnamenr": ASTEROID, "ndethist": 1, "distpsnr1": -999.0, "candid": 2**60 + 1}
    record["candidate"].update(known)
    record |= {"prv_candidates": None, "candid": 2**60 + 1, "objectId": "ZTF18asteroid"}


@pytest.fixture(scope="module")
def context(spark: SparkSession, settings: Settings, packets: list[bytes]) -> NightContext:
    """A night in the lake and in HBase: 30 real packets, of which 20 pass the cuts, and one made an asteroid."""
    survey = ztf_named("reading", index_tables=True)
    lake = Lake(spark, settings, survey)
    lake.create()
    made = NightContext(spark, settings, survey, NIGHT, lake)

    def batch_of(messages: list[bytes]) -> DataFrame:
        now = dt.datetime.now(dt.UTC)
        rows = [(TOPIC, 0, place, now, None, bytearray(message)) for place, message in enumerate(messages)]
        return spark.createDataFrame(rows, MESSAGES)

    rows = enriched(made, batch_of, [*packets, changed(packets[0], _as_asteroid)])
    Archive(made).put(rows).collect()
    return made


@pytest.fixture(scope="module")
def alerts(context: NightContext) -> list[dict[str, Any]]:
    """The science alerts as the lake has them."""
    return [row.asDict(recursive=True) for row in context.lake.read("science_alerts").collect()]


@pytest.fixture
def reader(context: NightContext) -> ArchiveReader:
    return ArchiveReader(context.settings.hbase, context.survey, tables_of(context.survey))


def _names(alerts: list[dict[str, Any]]) -> list[str]:
    return sorted({alert["objectId"] for alert in alerts})


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value


def test_alerts_of_objects_are_those_of_the_lake_to_the_bit(
    reader: ArchiveReader, alerts: list[dict[str, Any]]
) -> None:
    frame = reader.objects(_names(alerts))
    flat = {alert["candid"]: {**alert["candidate"], **alert} for alert in alerts}
    assert len(frame) == len(alerts) == 21
    for row in frame.to_dict("records"):
        there = flat[row["candid"]]
        for name in ("objectId", "jd", "ra", "magpsf", "fid", "ssnamenr", "roid", "night", "offset", "is_first", "drb"):
            assert _plain(row[name]) == there[name], name
        assert row["brokerEndProcessTimestamp"] == there["brokerEndProcessTimestamp"].astimezone(dt.UTC)
        features = {} if pd.isna(row["lc_features_g"]) else json.loads(row["lc_features_g"])
        known = {name: value for name, value in (there["lc_features_g"] or {}).items() if value is not None}
        assert features == pytest.approx(known)
    assert str(frame["candid"].dtype) == "Int64"
    assert frame["drb"].isna().all()


def test_a_few_columns_of_one_object_are_read_alone(reader: ArchiveReader, alerts: list[dict[str, Any]]) -> None:
    alert = alerts[0]
    frame = reader.objects(alert["objectId"], columns=["candid", "finkclass"], nights=(NIGHT, NIGHT))
    assert frame.to_dict("list") == {"candid": [alert["candid"]], "finkclass": [alert["finkclass"]]}
    assert reader.objects(alert["objectId"], nights=(ANOTHER, ANOTHER)).empty


def test_upper_limits_and_bad_points_are_those_of_the_histories(
    reader: ArchiveReader, alerts: list[dict[str, Any]]
) -> None:
    frame = reader.objects(_names(alerts), with_upper=True)
    counts = frame.groupby(["objectId", "tag"]).size().to_dict()
    expected: dict[tuple[str, str], set[float]] = defaultdict(set)
    for alert in alerts:
        points = alert["prv_candidates"] or []
        expected[alert["objectId"], "valid"].add(alert["candidate"]["jd"])
        for point in points:
            if point["magpsf"] is None:
                if points[-1]["magpsf"] is None:
                    expected[alert["objectId"], "upperlim"].add(point["jd"])
            elif not (point["rb"] >= 0.55 and point["nbad"] == 0):
                expected[alert["objectId"], "badquality"].add(point["jd"])
    assert counts == {key: len(times) for key, times in expected.items()}
    assert {tag for _, tag in counts} == {"valid", "upperlim", "badquality"}
    assert (frame["diffmaglim"].notna() | (frame["tag"] != "upperlim")).all()


def test_a_class_an_asteroid_and_a_night_are_found(reader: ArchiveReader, alerts: list[dict[str, Any]]) -> None:
    by_class: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for alert in alerts:
        by_class[alert["finkclass"]].append((alert["candidate"]["jd"], alert["candid"]))
    assert sorted(reader.values("finkclass")) == sorted(by_class)
    for label, members in by_class.items():
        found = reader.latest(label, 5)
        assert list(zip(found["jd"], found["candid"], strict=True)) == sorted(members, reverse=True)[:5]
    assert reader.alerts("ssnamenr", ASTEROID)["candid"].tolist() == [2**60 + 1]
    assert reader.values("ssnamenr") == [ASTEROID]
    night = reader.nights(NIGHT, NIGHT, columns=["candid"])
    assert sorted(night["candid"]) == sorted(alert["candid"] for alert in alerts)
    assert reader.nights(ANOTHER, ANOTHER).empty


def test_a_cone_around_every_alert_finds_what_brute_force_finds(
    reader: ArchiveReader, alerts: list[dict[str, Any]]
) -> None:
    ra, dec = (np.array([alert["candidate"][name] for alert in alerts]) for name in ("ra", "dec"))
    names = np.array([alert["objectId"] for alert in alerts])
    for place, radius in zip(range(0, len(alerts), 2), np.geomspace(1, 18_000, 11), strict=True):
        away = sky_distance(ra[place], dec[place], ra, dec)
        found = reader.cone(ra[place], dec[place], radius)
        assert set(found["objectId"]) == set(names[away <= radius])
        assert found["separation_arcsec"][0] == 0


def test_a_cone_agrees_with_brute_force_at_the_poles_and_across_the_meridian(
    reader: ArchiveReader, context: NightContext
) -> None:
    random = np.random.default_rng(5)
    centres = [(123.0, 90.0), (300.0, -89.99), (0.0, 0.0), (359.9999, 60.0), (45.0, 41.81)]
    ra = np.concatenate([random.uniform(0, 360, 80), (np.repeat([0.0, 359.9999, 45.0], 40) + _spread(random)) % 360])
    dec = np.concatenate(
        [90 - random.random(40), random.random(40) - 90, np.repeat([0.0, 60.0, 41.81], 40) + _spread(random)]
    )
    pixels = sky.pixels(ra, dec, 128)
    table = table_of_places(reader.tables)
    assert table
    rows = []
    for number, (a, d, pixel) in enumerate(zip(ra, dec, pixels, strict=True)):
        place = {"ra": float(a), "dec": float(d), "pixel128": int(pixel), "jd": 2458350.7, "jdstarthist": 2458350.6}
        record = {"objectId": f"made_{number}", "candid": 2**60 + number, "night": NIGHT.key, **place}
        rows.append(Row(*row_cells(table, record), 1))
    put_rows(context.settings.hbase, table, rows)
    for centre in centres:
        for radius in (600.0, 3600.0):
            found = reader.cone(*centre, radius, columns=["objectId", "separation_arcsec"])
            made = {int(name[5:]) for name in found["objectId"] if name.startswith("made_")}
            assert made == set(np.flatnonzero(sky_distance(*centre, ra, dec) <= radius))
            assert made


def _spread(random: np.random.Generator) -> np.ndarray:
    return random.uniform(-0.5, 0.5, 120)


def sky_distance(ra: float, dec: float, to_ra: np.ndarray, to_dec: np.ndarray) -> np.ndarray:
    """Distances [arcsec] by the chord between directions."""

    def vectors(a: Any, d: Any) -> np.ndarray:
        a, d = np.deg2rad(a), np.deg2rad(d)
        return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d) * np.ones_like(a)])

    chord = np.linalg.norm(vectors(to_ra, to_dec) - vectors(ra, dec)[:, None], axis=0)
    return np.rad2deg(2 * np.arcsin(chord / 2)) * 3600


def test_what_is_typed_is_found(
    context: NightContext,
    alerts: list[dict[str, Any]],
    packets: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(commands, "load_settings", lambda: context.settings)
    monkeypatch.setattr(commands, "get_survey", lambda _: context.survey)
    [alert] = [each for each in alerts if each["candid"] == decoded(packets[0])[1]["candid"]]
    name, candidate = alert["objectId"], alert["candidate"]
    plot, file = tmp_path / "curve.png", tmp_path / "curve.vot"
    asked = [name, "--with-upper", "--plot", str(plot), "--output", str(file)]
    done = CliRunner().invoke(app, ["object", *asked])
    assert done.exit_code == 0, done.output
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 10_000
    near = CliRunner().invoke(app, ["cone", str(candidate["ra"]), str(candidate["dec"]), "1", "--format", "json"])
    assert {row["candid"] for row in json.loads(near.stdout)} == {alert["candid"], 2**60 + 1}
    of_class = CliRunner().invoke(app, ["alerts", "finkclass", alert["finkclass"], "--columns", "candid"])
    assert str(alert["candid"]) in of_class.stdout


def test_what_the_scientist_reads_runs(
    context: NightContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fink_dagster.settings.load_settings", lambda: context.settings)
    monkeypatch.setitem(surveys._SURVEYS, context.survey.name, context.survey)
    page = (CHECKOUT / "docs" / "scientist.md").read_text().partition("## The archive in HBase")[2]
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace: dict[str, Any] = {}
    for block in blocks:
        own = block.replace('"ztf"', f'"{context.survey.name}"').replace("19090", str(context.settings.hbase[1]))
        exec(compile(own, "scientist.md", "exec", dont_inherit=True), namespace)
    said = capsys.readouterr().out
    assert len(blocks) == 3
    assert namespace["curve"]["tag"].tolist()[-1] == "valid"
    assert "True\n(63, 63)\nZTF18abeymeo_" in said


def test_a_table_that_was_dropped_is_missed_with_the_way_out(reader: ArchiveReader, context: NightContext) -> None:
    drop(context, "reading.tns")
    with pytest.raises(OperationError, match=r"hbase table reading.tns: must be there"):
        reader.alerts("tns", "SN 2018abc")
