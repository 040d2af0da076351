"""Quarantine by commands: what a limit refused is re-driven when the limit is raised, though the run is killed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster import orchestrator
from fink_dagster.lake.nights import OPEN, state_of
from fink_dagster.lake.reading import LakeReader
from tests.packets import changed, decoded, encoded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.platform.conftest import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

NIGHT, NEXT = "2018-08-19", "2018-08-20"
TOPIC = "ztf_20180819_programid1"
MATERIALIZED = """query Q($night: [String!]!) { assetOrError(assetKey: {path: ["ztf", "quarantine"]}) { ... on Asset {
  assetMaterializations(partitions: $night, limit: 1) {
    metadataEntries { label ... on IntMetadataEntry { intValue } } } } } }"""

RUNS = """query Q($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs {
  results { runId parentRunId status tags { key value } } } } }"""


def later(packet: bytes) -> bytes:
    def change(record: dict[str, Any]) -> None:
        record["candidate"]["jd"] += 1

    return changed(packet, change)


def compressed(packet: bytes) -> bytes:
    """Return a packet that Python alone can read, and so measures."""
    return encoded(*decoded(packet), codec="deflate")


def folder(path: Path, messages: list[bytes]) -> str:
    path.mkdir()
    for place, message in enumerate(messages):
        (path / f"{place}.avro").write_bytes(message)
    return str(path)


def limited(commands: Commands, max_message_bytes: int) -> None:
    """Start the platform with another limit."""
    commands.run("down")
    commands.settings = commands.settings.model_copy(update={"max_message_bytes": max_message_bytes})
    commands.run("up")


def killed_when_nights_are_open(commands: Commands) -> None:
    worker, reader = commands.run_worker(), LakeReader(commands.settings, "ztf")
    deadline = time.monotonic() + 400
    while (state := state_of(reader, NEXT)) and state.state != OPEN and time.monotonic() < deadline:
        time.sleep(0.1)
    assert state is not None
    assert state.state == OPEN
    assert worker.is_running()
    worker.kill()


def runs(commands: Commands, night: str) -> list[dict[str, Any]]:
    """Return the runs of a night, newest first."""
    which = {"tags": [{"key": "dagster/partition", "value": night}]}
    return list(orchestrator._ask(commands.settings, RUNS, {"filter": which})["runsOrError"]["results"])


def test_what_a_limit_refused_is_redriven_after_it_was_raised(
    commands: Commands, tmp_path: Path, packets: list[bytes]
) -> None:
    limited(commands, 1000)
    mixed = [*packets[:3], compressed(packets[3]), compressed(packets[4]), compressed(later(packets[5])), b"noise"]
    commands.run("replay", folder(tmp_path / "mixed", mixed), "--topic", TOPIC)
    commands.run("replay", folder(tmp_path / "next", [later(packets[6])]))
    for night in (NIGHT, NEXT):
        commands.run("night", night)
    assert commands.account(NIGHT)["quarantined"] == {"not_a_container": 1, "too_large": 3}
    assert "nothing fits night 2018-08-20" in commands.run("quarantine", "redrive", NEXT, code=1)

    limited(commands, 4_194_304)
    following = commands.start("quarantine", "redrive", NIGHT)
    killed_when_nights_are_open(commands)
    out, err = following.communicate(timeout=1500)
    assert following.returncode == 0, out + err
    assert out.splitlines()[0] == (
        "4 re-driven: 3 to raw_alerts (2018-08-19: 2, 2018-08-20: 1), 1 stay in quarantine (not_a_container: 1)"
    )
    retried, killed, at_first = runs(commands, NIGHT)
    assert [run["status"] for run in (retried, killed, at_first)] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert retried["parentRunId"] == killed["runId"]
    assert {"key": orchestrator.REDRIVE_TAG, "value": "{}"} in retried["tags"]

    first, second = commands.account(NIGHT), commands.account(NEXT)
    for account in (first, second):
        assert (account["state"], account["closes"]) == ("closed", True), account["why_open"]
        assert all(said["agrees"] for said in account["live"].values()), account["live"]
    assert (first["received"], first["raw"], first["quarantined"]) == (7, 5, {"not_a_container": 1})
    assert (first["other_nights"], first["duplicates"]) == ({NEXT: 1}, 0)
    assert (second["received"], second["raw"], second["from_other_topics"]) == (1, 2, {TOPIC: 1})
    listed = json.loads(commands.run("quarantine", "list", "--night", NIGHT, "--all", "--json"))
    assert sorted(str(row["redriven_to"]) for row in listed) == [NIGHT, NIGHT, NEXT, "None"]
    assert "nothing is left to re-drive" in commands.run("quarantine", "redrive", NIGHT, "--code", "too_large")
    (newest,) = orchestrator._ask(commands.settings, MATERIALIZED, {"night": [NIGHT]})["assetOrError"][
        "assetMaterializations"
    ]
    assert {"label": "quarantined", "intValue": 1} in newest["metadataEntries"]

    commands.run("down")
    said = commands.run("quarantine", "redrive", NIGHT, code=1)
    assert "its webserver must answer" in said
    assert said.count("\n") == 1
