"""HBase away, killed and paused while a real night is archived: every row is exact, and nobody asks without a rest."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fink_dagster.hbase.connection import connect
from fink_dagster.local import hbase, process
from fink_dagster.local.ports import LOOPBACK, require_free
from fink_dagster.stages.archive import Archive
from fink_dagster.streams.query import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from tests.faults.conftest import VERSIONS_KEPT, FaultyNight
from tests.integration.stages.archives import Versioned, versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.accounts.account import Account
    from fink_dagster.accounts.flow import Flow
    from fink_dagster.local.process import Server
    from fink_dagster.streams.night import NightStreams

    Archived = dict[str, Versioned]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

THRIFT_PAUSE_SECONDS = 20.0
MASTER_PAUSE_SECONDS = 10.0
"""Half of what its region server's session with ZooKeeper lasts; one that is silent for longer is shut out for good."""
MUTE_SECONDS = 12.0
MOST_REQUESTS = 60
"""In those seconds, by two workers: after a second or so one waits for some 2.5 s between two."""


@dataclass(frozen=True)
class Outage:
    """What a night without HBase came to: when it was asked for, how far the stages were, and what came after."""

    asked: list[float]
    flow: Flow
    account: Account
    archived: Archived


@pytest.fixture(scope="module")
def outage(night: FaultyNight) -> Outage:
    """The night streamed while HBase was away, which came when all others were done."""
    asked: list[float] = []
    flows: list[Flow] = []
    prepare = Archive.prepare

    def prepared(stage: Archive) -> None:
        asked.append(time.monotonic())
        prepare(stage)

    def come_late(streams: NightStreams) -> None:
        deadline = time.monotonic() + 240
        while _others_wait(flow := streams.flow()) or len(asked) < 5:
            assert time.monotonic() < deadline, (flow, asked)
            time.sleep(1)
        flows.append(flow)
        hbase.start(night.servers)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Archive, "prepare", prepared)
        account = night.stream(come_late)
    return Outage(asked, flows[0], account, versions(night.context))


def _others_wait(flow: Flow) -> bool:
    raw, archive = flow.stream2raw, flow.archive
    waiting = sum(passage.waiting for passage in flow.stages().values()) - archive.waiting
    return bool(waiting) or not raw.passed


@pytest.fixture(scope="module")
def expected(night: FaultyNight, outage: Outage) -> Archived:
    """What the archive of the night is where nothing goes wrong."""
    night.forget_archive()
    Archive(night.context).put(night.context.lake.read("science_alerts")).collect()
    return versions(night.context)


def test_while_hbase_is_away_the_others_finish_and_the_archive_asks_ever_more_seldom(outage: Outage) -> None:
    science = outage.flow.raw2science.passed
    assert science > 0
    assert (outage.flow.distribution.passed, outage.flow.archive.passed) == (science, 0)
    pauses = [later - earlier for earlier, later in zip(outage.asked, outage.asked[1:], strict=False)]
    least = [min(FIRST_PAUSE_SECONDS * 2**place, LONGEST_PAUSE_SECONDS) for place in range(len(pauses))]
    assert all(pause >= shortest for pause, shortest in zip(pauses[:4], least[:4], strict=True)), pauses
    assert all(pause < LONGEST_PAUSE_SECONDS + 15 for pause in pauses), pauses


def test_an_archive_that_comes_late_is_complete(night: FaultyNight, outage: Outage, expected: Archived) -> None:
    _must_close_with_all(outage.account, expected)
    assert outage.archived == expected
    assert len(expected[night.context.survey.name]) == outage.flow.raw2science.passed


def _must_close_with_all(account: Account, expected: Archived) -> None:
    assert account.closes, account.why_open
    assert account.archived == {name: len(expected[name]) for name in account.archived}


def _killed(server: Callable[..., Server]) -> Callable[[FaultyNight], None]:
    def fault(night: FaultyNight) -> None:
        victim = process.running(server(night.servers))
        assert victim is not None
        victim.kill()
        victim.wait(30)
        hbase.start(night.servers)

    return fault


def _paused(server: Callable[..., Server], seconds: float) -> Callable[[FaultyNight], None]:
    def fault(night: FaultyNight) -> None:
        victim = process.running(server(night.servers))
        assert victim is not None
        victim.suspend()
        time.sleep(seconds)
        assert night.archived == 0
        victim.resume()

    return fault


def _killed_and_mute(night: FaultyNight) -> None:
    """Kill the Thrift server; who asks for it meanwhile gets nothing, and is counted."""
    victim = process.running(hbase.thrift(night.servers))
    assert victim is not None
    victim.kill()
    victim.wait(30)
    requests = _hung_up_on(night)
    assert 2 <= requests <= MOST_REQUESTS
    hbase.start(night.servers)


def _hung_up_on(night: FaultyNight) -> int:
    require_free(night.servers, "hbase", "hbase_port")
    requests, end = 0, time.monotonic() + MUTE_SECONDS
    with socket.create_server((LOOPBACK, night.servers.hbase_port)) as mute, selectors.DefaultSelector() as selector:
        selector.register(mute, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            for _ in selector.select(left):
                mute.accept()[0].close()
                requests += 1
    return requests


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(_killed_and_mute, id="thrift-killed"),
        pytest.param(_paused(hbase.thrift, THRIFT_PAUSE_SECONDS), id="thrift-paused"),
        pytest.param(_killed(hbase.master), id="master-killed"),
        pytest.param(_paused(hbase.master, MASTER_PAUSE_SECONDS), id="master-paused"),
    ],
)
def test_a_fault_in_the_middle_leaves_every_row_exact_and_one_version_a_cell(
    night: FaultyNight, expected: Archived, fault: Callable[[FaultyNight], None]
) -> None:
    night.forget_archive()

    def meanwhile(_: NightStreams) -> None:
        night.wait_for_rows()
        fault(night)

    account = night.stream(meanwhile)
    _must_close_with_all(account, expected)
    assert versions(night.context) == expected
    assert _cells_with_several_versions(night) == []


def _cells_with_several_versions(night: FaultyNight) -> list[tuple[str, bytes]]:
    """Return table and key of rows whose night has several versions; all cells of a row are put at once."""
    found = []
    with closing(connect(*night.context.settings.hbase)) as connection:
        for table in night.tables:
            cell = table.by_name["night"].cell
            for key, _ in connection.table(table.name).scan(columns=[cell]):
                if len(connection.table(table.name).cells(key, cell, versions=VERSIONS_KEPT)) != 1:
                    found.append((table.name, key))
    return found
