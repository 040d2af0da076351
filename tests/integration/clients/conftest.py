"""The real fink-client, two releases of it, each in an environment of its own that is made once, in the cache."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING

import pytest

from fink_dagster.filters.filter import Filter
from fink_dagster.lake.lake import Lake
from fink_dagster.lake.nights import CLOSED, change
from fink_dagster.local.exclusion import alone
from fink_dagster.settings import load_settings
from fink_dagster.stages.distribution import Distribution
from fink_dagster.stages.raw2science import Raw2Science
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw
from fink_dagster.surveys.base import Night
from tests.integration.stages.conftest import MESSAGES
from tests.toy import ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

RELEASES = ("11.0", "12.3.0")
NIGHT = Night("2018-08-19")
SURVEY = ztf_named("clients")
BRIGHT = Filter("bright", ("candidate.magpsf",), methodcaller("lt", 18.0), "Brighter than 18 mag", "us", "1")
ALL, SOME = "fink_clients_20180819", "fink_bright_clients"
WAIT_SECONDS = 6
"""How long a client waits for a message before it takes a partition for read; its own default is 10."""
_ENDS_SECONDS = 300
_POLL = """
import json, sys
from fink_client.consumer import AlertConsumer

topics, servers, number, group = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
consumer = AlertConsumer(topics, {"bootstrap.servers": servers, "group.id": group}, survey="ztf")
alerts = [consumer.poll(timeout=60) for _ in range(number)] + [consumer.poll(timeout=3)]
consumer.close()
print(json.dumps([(topic, alert and alert["objectId"], alert and alert["candid"]) for topic, alert, _ in alerts]))
"""


@dataclass
class FinkClient:
    """A user with fink-client: a home of their own, and the commands of the release."""

    release: str
    folder: Path
    home: Path
    servers: str

    @property
    def is_new(self) -> bool:
        """Whether everything is one command, ``finkctl``."""
        return not self.release.startswith("11.")

    def run(self, command: str, *arguments: str) -> str:
        """Run a command of the package and return what it prints."""
        names = {"HOME": str(self.home), "PATH": os.environ["PATH"], "MPLCONFIGDIR": str(self.home)}
        words = [str(self.folder / "bin" / command), *arguments]
        done = subprocess.run(
            words, cwd=self.home, env=names, capture_output=True, text=True, timeout=_ENDS_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def register(self, *topics: str) -> None:
        """Write the credentials, and subscribe."""
        who = ("-survey", "ztf", "-username", "someone", "-servers", self.servers, "-maxtimeout", "10")
        if not self.is_new:
            self.run("fink_client_register", *who, "-group_id", self.home.name, "-mytopics", *topics)
            return
        self.run("finkctl", "auth", "register", *who, "-groupid", self.home.name)
        for topic in topics:
            self.run("finkctl", "topic", "subscribe", "-survey", "ztf", "-name", topic)

    def topics(self) -> str:
        """Return what is printed of the topics there are."""
        if self.is_new:
            return self.run("finkctl", "topic", "list", "-survey", "ztf")
        return self.run("fink_consumer", "-survey", "ztf", "--available_topics")

    def save(self, folder: Path, number: int) -> None:
        """Save so many alerts of the subscribed topics to files."""
        command = ("finkctl", "stream") if self.is_new else ("fink_consumer",)
        self.run(*command, "-survey", "ztf", "--save", "-outdir", str(folder), "-limit", str(number))

    def poll(self, topics: list[str], number: int) -> list[tuple[str, str, int]]:
        """Poll so many alerts in Python, and say of each its topic and names; then there is no other."""
        said = self.run("python", "-c", _POLL, json.dumps(topics), self.servers, str(number), self.home.name)
        *found, after = json.loads(said.splitlines()[-1])
        assert after == [None, None, None]
        return [tuple(each) for each in found]

    def transfer(self, topic: str, folder: Path, *options: str, launches: int = 4) -> None:
        """Fetch a data transfer into a folder.

        One process, since two can wait for each other for ever. Launched again while nothing came, as the client asks
        for where the broker still waits for a member of its group that has left.
        """
        command = ("finkctl", "transfer") if self.is_new else ("fink_datatransfer",)
        where = ("-survey", "ztf", "-topic", topic, "-outdir", str(folder))
        for _ in range(launches):
            self.run(*command, *where, "-nconsumers", "1", "-maxtimeout", str(WAIT_SECONDS), *options)
            if folder.exists() and any(folder.iterdir()):
                break


@pytest.fixture(scope="session", params=RELEASES)
def installed(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A release of fink-client, and the environment it is installed in."""
    return request.param, environment(request.param)


def environment(release: str) -> Path:
    """Return an environment with the release as the package index has it, and with what it asks for."""
    cache = load_settings().cache
    folder = cache / f"fink-client-{release}"
    done = folder / "installed"
    with alone(cache / "fink-client.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=False)
            pip = (sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--no-compile")
            subprocess.run([*pip, f"fink-client=={release}"], check=True)
            done.touch()
    return folder


@pytest.fixture
def client(installed: tuple[str, Path], settings: Settings, tmp_path: Path) -> FinkClient:
    """A user of the release, with a home that is empty."""
    release, folder = installed
    home = tmp_path / f"{tmp_path.name}_{release}"
    home.mkdir()
    return FinkClient(release, folder, home, settings.embedded_kafka_address)


@pytest.fixture(scope="session")
def lake(spark: SparkSession, settings: Settings, packets: list[bytes]) -> Lake:
    """A closed night of real alerts, distributed: 20 science alerts of 30 packets."""
    lake = Lake(spark, settings, SURVEY)
    lake.create()
    context, now = NightContext(spark, settings, SURVEY, NIGHT, lake), dt.datetime.now(dt.UTC)
    topic = SURVEY.topics(NIGHT)[0]
    rows = [(topic, 0, offset, now, [], bytearray(packet)) for offset, packet in enumerate(packets)]
    Stream2Raw(context).process(spark.createDataFrame(rows, MESSAGES), Batch(0, "raw"))
    Raw2Science(context).process(lake.read("raw_alerts"), Batch(0, "science"))
    distribution = Distribution(context, [BRIGHT])
    distribution.process(lake.read("science_alerts"), Batch(0, "distribution"))
    distribution.close()
    change(lake, NIGHT.key, CLOSED, "test", {})
    return lake


@pytest.fixture(scope="session")
def names(lake: Lake) -> dict[str, set[tuple[str, int]]]:
    """Object and identifier of every alert by topic: all that were counted, and the bright ones."""
    rows = lake.reader.rows("science_alerts", ("objectId", "candid", "candidate.magpsf"))
    assert rows is not None
    alerts = rows.to_pylist()
    bright = [row for row in alerts if row["candidate"]["magpsf"] < 18.0]
    assert (len(alerts), len(bright)) == (20, 7)
    return {
        topic: {(row["objectId"], row["candid"]) for row in some} for topic, some in ((ALL, alerts), (SOME, bright))
    }
