"""Science modules again on a night that is closed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from happybase import Connection

from fink_dagster.accounts.nights import nights_between
from fink_dagster.errors import OperationError, TransientError, UserError
from fink_dagster.lake.lake import Lake
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import open_source
from fink_dagster.science import registry
from fink_dagster.stages.rerun import Rerun
from fink_dagster.streams.lease import NightLease
from fink_dagster.streams.rerun import rerun_nights
from fink_dagster.surveys.base import Night
from tests.integration.streams.conftest import snapshots
from tests.own_modules import HEAD, declared
from tests.toy import ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from pyspark.sql import SparkSession

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings

NIGHT = Night("2018-08-19")
SURVEY = ztf_named("rerun")
OWN = ("fragile", "after", "fragile_status", "fragile_version", "after_status", "after_version")
FRAGILE = """
def fragile(magnitude):
    assert (numbers(magnitude) < LIMIT).all(), "too faint"
    return 2 * numbers(magnitude)

def absent(magnitude):
    if LIMIT == 18:
        raise Unavailable("no_catalogue", "not there yet")
    return numbers(magnitude)

"""


def _write(folder: Path, limit: str, version: str) -> None:
    module = declared("fragile", function="fragile", version=repr(version))
    after = declared("after", inputs="('fragile',)", function="lambda twice: numbers(twice) + 1")
    absent = declared("absent", function="absent")
    reader = declared("reader", optional="('absent',)", function="lambda magnitude, other: numbers(other.fillna(-1))")
    text = f"{HEAD}{FRAGILE}\nMODULES = [{module}, {after}, {absent}, {reader}]\n".replace("LIMIT", limit)
    (folder / "fragile.py").write_text(text)
    registry.reload()


def _again(spark: SparkSession, settings: Settings, *names: str, failed_only: bool = True) -> dict[str, Rerun]:
    outcomes = rerun_nights(spark, settings, SURVEY, [NIGHT], names, failed_only=failed_only)
    return {name: outcome for _, name, outcome in outcomes}


def _rows(spark: SparkSession, settings: Settings) -> pa.Table:
    table = Lake(spark, settings, SURVEY).read("science_alerts").orderBy("candid")
    columns = [name for name in table.columns if name not in ("science_status", "science_versions")]
    marks = [
        f"science_{kind}['{name}'] AS {name}_{short}"
        for kind, short in (("status", "status"), ("versions", "version"))
        for name in (module.name for module in registry.modules())
    ]
    return table.selectExpr(*(f"`{name}`" for name in columns), *marks).toArrow()


def _in_hbase(settings: Settings) -> list[float]:
    with closing(Connection(*settings.hbase)) as connection:
        rows = [cells for key, cells in connection.table(SURVEY.name).scan() if key.startswith(b"ZTF")]
    return sorted(struct.unpack(">d", cells[b"d:fragile"])[0] for cells in rows)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_failed_cells_are_filled_in_lake_and_hbase_and_nothing_else_changes(
    closed: Callable[..., Account], spark: SparkSession, settings: Settings, sample_tarball: Path, own_modules: Path
) -> None:
    replay(settings, SURVEY, open_source(sample_tarball))
    _write(own_modules, "18", "1")
    account = closed(NIGHT, SURVEY)
    before = _rows(spark, settings)
    faint = [magnitude["magpsf"] >= 18 for magnitude in before["candidate"].to_pylist()]
    assert 0 < sum(faint) < 20
    assert [status for status in before["fragile_status"].to_pylist()] == [
        "raised" if is_faint else None for is_faint in faint
    ]
    assert before["after_status"].to_pylist() == ["no_input" if is_faint else None for is_faint in faint]

    first = _again(spark, settings, "fragile", "after")
    assert (first["fragile"].asked, first["fragile"].changed) == (sum(faint), 0)
    assert first["fragile"].failed == {"raised": sum(faint)}
    assert "too faint" in first["fragile"].text
    assert first["after"] == Rerun(0, 0, sum(faint), first["after"].failed, "")
    assert _rows(spark, settings).equals(before)

    _write(own_modules, "99", "2")
    held = snapshots(spark, settings, SURVEY)
    nowhere = settings.model_copy(update={"hbase_address": "127.0.0.1:9"})
    with pytest.raises(TransientError):
        _again(spark, nowhere, "fragile")
    assert snapshots(spark, settings, SURVEY) == held

    second = _again(spark, settings, "fragile", "after")
    assert [(each.asked, each.changed, each.waiting, each.text) for each in second.values()] == [
        (sum(faint), sum(faint), 0, "")
    ] * 2
    after = _rows(spark, settings)
    magnitudes = [candidate["magpsf"] for candidate in after["candidate"].to_pylist()]
    assert after["fragile"].to_pylist() == [2 * magnitude for magnitude in magnitudes]
    assert after["after"].to_pylist() == [2 * magnitude + 1 for magnitude in magnitudes]
    assert after["fragile_status"].null_count == after["after_status"].null_count == 20
    assert after["fragile_version"].to_pylist() == ["2" if is_faint else "1" for is_faint in faint]
    others = [name for name in before.column_names if name not in OWN]
    assert after.select(others).equals(before.select(others))
    assert _in_hbase(settings) == sorted(after["fragile"].to_pylist())

    assert set(before["reader"].to_pylist()) == {-1.0}
    assert _again(spark, settings, "reader")["reader"].asked == 0
    third = _again(spark, settings, "reader", "absent")
    assert [(name, each.asked, each.changed) for name, each in third.items()] == [
        ("absent", 20, 20),
        ("reader", 20, 20),
    ]
    assert _rows(spark, settings)["reader"].to_pylist() == magnitudes

    held = snapshots(spark, settings, SURVEY)
    assert _again(spark, settings, "fragile", "after")["fragile"].asked == 0
    assert snapshots(spark, settings, SURVEY) == held
    assert closed(NIGHT, SURVEY).as_books() == account.as_books()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_module_of_the_platform_gives_another_value_the_second_time(
    closed: Callable[..., Account], spark: SparkSession, settings: Settings, sample_tarball: Path
) -> None:
    survey = ztf_named("rerun_all")
    replay(settings, survey, open_source(sample_tarball))
    assert closed(NIGHT, survey).science == 20
    assert nights_between(settings, survey, "2018-08-01..2018-08-31") == [NIGHT]
    held, names = snapshots(spark, settings, survey), [module.name for module in registry.modules()]
    outcomes = list(rerun_nights(spark, settings, survey, [NIGHT], names, failed_only=False))
    assert [name for _, name, _ in outcomes] == names
    assert {name: outcome.changed for _, name, outcome in outcomes if outcome.changed} == {}
    assert snapshots(spark, settings, survey) == held


def test_a_night_somebody_writes_or_that_is_not_closed_is_left_alone(spark: SparkSession, settings: Settings) -> None:
    survey = ztf_named("rerun_held")
    lease = NightLease(settings.checkpoints(survey.name, NIGHT.key), "another")
    lease.acquire()
    try:
        with pytest.raises(OperationError, match="run another does"):
            list(rerun_nights(spark, settings, survey, [NIGHT], ["roid"], failed_only=True))
    finally:
        lease.release()
    with pytest.raises(OperationError, match="must be closed; it is not"):
        list(rerun_nights(spark, settings, survey, [NIGHT], ["roid"], failed_only=True))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2018-8-19", "must be a date as YYYY-MM-DD"),
        ("2018-08-19..x", "must be a date as YYYY-MM-DD"),
        ("2018-08-20..2018-08-19", "must end after they begin"),
    ],
)
def test_an_interval_of_nights_that_is_none_is_refused(settings: Settings, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        nights_between(settings, SURVEY, text)
    assert len(str(refused.value).splitlines()) == 1


def test_nights_without_alerts_are_refused(settings: Settings) -> None:
    with pytest.raises(UserError, match="one must have science alerts"):
        nights_between(settings, ztf_named("never"), "2018-08-19")
