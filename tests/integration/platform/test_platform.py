"""The life of a night by commands: killed, without HBase, repeated, and what bad requests get."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.local import hbase
from tests.conftest import SHARED
from tests.packets import changed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.platform.conftest import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def night(commands: Commands, sample_tarball: Path) -> tuple[str, int, int]:
    """A night in Kafka: its key, how many alerts, how many pass. A whole public one where there is one."""
    commands.run("up")
    whole = SHARED / "ztf_public_20181129.tar.gz"
    commands.run("replay", str(whole if whole.exists() else sample_tarball))
    return ("2018-11-29", 499, 291) if whole.exists() else ("2018-08-19", 30, 20)


def test_without_a_platform_a_night_is_refused_in_one_sentence(commands: Commands) -> None:
    said = commands.run("night", "2018-08-19", code=1)
    assert said.count("\n") <= 2
    assert "start" in said


def test_a_run_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    commands: Commands, night: tuple[str, int, int]
) -> None:
    key, alerts, science = night
    following = commands.start("night", key)
    worker = commands.run_worker()
    deadline = time.monotonic() + 900
    while not _stored(commands, "raw_alerts", key) and time.monotonic() < deadline:
        time.sleep(0.5)
    worker.kill()
    out, err = following.communicate(timeout=1500)
    assert following.returncode == 0, out + err
    account = commands.account(key)
    assert account["closes"], account["why_open"]
    assert (account["received"], account["raw"], account["science"]) == (alerts, alerts, science)
    assert account["duplicates"] == 0
    assert all(said["agrees"] for said in account["live"].values()), account["live"]


@pytest.fixture
def next_night(tmp_path: Path, packets: list[bytes]) -> Path:
    """The sample's packets a day later, as a folder."""

    def later(record: dict[str, Any]) -> None:
        record["candidate"]["jd"] += 1

    for place, packet in enumerate(packets):
        (tmp_path / f"{place}.avro").write_bytes(changed(packet, later))
    return tmp_path


def test_without_hbase_the_other_stages_go_on_and_the_night_closes_when_it_is_back(
    commands: Commands, night: tuple[str, int, int], next_night: Path
) -> None:
    hbase.stop(commands.settings)
    commands.run("replay", str(next_night))
    said = commands.run("night", "2018-08-20", "--timeout", "60", code=1)
    assert "hbase does not answer" in said
    deadline = time.monotonic() + 900
    while _stored(commands, "distributed", "2018-08-20") < 20 and time.monotonic() < deadline:
        time.sleep(1)
    account = commands.account("2018-08-20")
    assert (account["science"], account["distributed"]["fink_ztf_20180820"]) == (20, 20)
    assert (set(account["archived"].values()), account["closes"]) == ({0}, False)
    hbase.start(commands.settings)
    commands.run("night", "2018-08-20")
    account = commands.account("2018-08-20")
    assert account["closes"], account["why_open"]
    assert [account["archived"][name] for name in ("ztf", "ztf.class", "ztf.cutouts")] == [20] * 3


def test_services_say_what_runs_and_stay_within_six_gibibytes(commands: Commands, night: tuple[str, int, int]) -> None:
    services = json.loads(commands.run("services", "--json"))
    assert set(services) == {"kafka", "hbase", "dagster"}
    assert all(service["healthy"] for service in services.values())
    assert 0 < sum(service["rss_mib"] for service in services.values()) < 6 * 1024


def test_no_such_night_is_one_sentence(commands: Commands, night: tuple[str, int, int]) -> None:
    assert "must have a topic or alerts" in commands.run("night", "2019-01-01", code=1)
    assert "nothing is stored" in commands.run("account", "2019-01-01", code=1)
    assert "must be a date" in commands.run("account", "yesterday", code=2)


def test_every_night_is_listed(commands: Commands, night: tuple[str, int, int]) -> None:
    accounts = json.loads(commands.run("account", "--all", "--json"))
    assert {account["night"] for account in accounts} <= {night[0], "2018-08-20"}
    assert accounts
    assert all(account["closes"] for account in accounts)


def test_down_leaves_no_process(commands: Commands, night: tuple[str, int, int]) -> None:
    commands.run("down")
    assert commands.left_over() == []


def _stored(commands: Commands, table: str, night: str) -> int:
    from fink_dagster.lake.reading import LakeReader

    return LakeReader(commands.settings, "ztf").count_night(table, night)
