"""Past alerts sent to a topic of their own, and fetched by the transfer command of fink-client, unmodified."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from fink_dagster.errors import OperationError, UserError
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import offsets
from fink_dagster.kafka.transfers import SCHEMA_COPIES, remove_transfer, transfers
from fink_dagster.lake.nights import CLOSED, OPEN, change
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages import transfer as sending
from fink_dagster.streams.transfer import Order, choose, ordered
from tests.integration.clients.conftest import ALL, BRIGHT, NIGHT, SOME, SURVEY

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.lake.lake import Lake
    from fink_dagster.settings import Settings
    from tests.integration.clients.conftest import FinkClient

Names = dict[str, set[tuple[str, int]]]
Send = Callable[..., Order]


@pytest.fixture
def send(lake: Lake, spark: SparkSession, settings: Settings) -> Send:
    """Send the night's alerts, all or the bright ones, and return what was ordered."""

    def send(columns: str = "full packet", *, bright: bool = False, identity: str | None = None) -> Order:
        order = ordered(settings, SURVEY, NIGHT.key, None, columns, identity)
        order = replace(order, filter=BRIGHT if bright else None)
        rows, number = choose(spark, settings, SURVEY, order)
        sending.transfer(settings, SURVEY, rows, order.paths, topic=order.topic, number=number, step=_silently)
        return order

    return send


def _silently(*_: object) -> nullcontext[None]:
    return nullcontext()


def _names(rows: list[dict[str, Any]]) -> Counter[tuple[str, int]]:
    return Counter((row["objectId"], row["candid"]) for row in rows)


def _read(config: dict[str, str], topic: str) -> list[dict[str, Any]]:
    schema = fastavro.parse_schema(json.loads(next(read_all(config, f"{topic}_schema")).key()))
    values = [io.BytesIO(message.value()) for message in read_all(config, topic)]
    alerts: list[Any] = [fastavro.schemaless_reader(value, schema) for value in values]
    return alerts


def test_a_transfer_holds_each_alert_once_in_upstreams_form(send: Send, settings: Settings, names: Names) -> None:
    order, config = send(bright=True), distribution_client(settings)

    messages = list(read_all(config, order.topic))
    alerts = _read(config, order.topic)
    copies = list(read_all(config, f"{order.topic}_schema"))

    assert len(offsets(config, order.topic)) == 10, "as many as the client takes for granted"
    assert len(copies) == SCHEMA_COPIES
    assert len({message.key() for message in copies}) == 1
    assert _names(alerts) == Counter(names[SOME])
    assert {message.key() for message in messages} == {order.topic.encode()}
    assert [dict(m.headers())["candid"] for m in messages] == [str(alert["candid"]).encode() for alert in alerts]
    assert {alert["brokerIngestTimestamp"][:2] for alert in alerts} == {"20"}
    assert transfers(config)[order.topic]


def test_the_filter_of_a_transfer_judges_as_the_stage_did(lake: Lake, spark: SparkSession, settings: Settings) -> None:
    order = ordered(settings, SURVEY, NIGHT.key, "sso_ztf_candidates", "light", None)
    with pytest.raises(OperationError, match="none passes"):
        choose(spark, settings, SURVEY, order)
    rows, number = choose(spark, settings, SURVEY, replace(order, filter=BRIGHT))
    sent = lake.reader.rows("distributed", ("filter", "candid"))
    assert sent is not None
    bright = [row["candid"] for row in sent.to_pylist() if row["filter"] == BRIGHT.name]
    assert sorted(row["candid"] for row in rows.select("candid").collect()) == sorted(bright)
    assert number == len(bright)


def test_a_filter_that_fails_sends_nothing(spark: SparkSession, settings: Settings, lake: Lake) -> None:
    order = ordered(settings, SURVEY, NIGHT.key, None, "light", None)
    wrong = replace(order, filter=replace(BRIGHT, predicate=len))
    with pytest.raises(OperationError, match="filter bright: must judge every alert"):
        choose(spark, settings, SURVEY, wrong)


def test_what_cannot_be_done_to_the_alert_leaves_no_topic(
    send: Send, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = distribution_client(settings)
    once = sending._send

    def twice(*arguments: Any) -> None:
        once(*arguments)
        once(*arguments)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_send", twice)
        with pytest.raises(OperationError, match="must hold 20 alerts; it held 40 and is removed"):
            send("light", identity="twice")
    with monkeypatch.context() as patch:
        patch.setitem(sending._SINK, "kafka.max.request.size", "1000")
        with pytest.raises(OperationError, match=r"must take every alert; got .*RecordTooLarge"):
            send(identity="long")
    with monkeypatch.context() as patch:
        patch.setattr(sending, "publish_schema", interrupted)
        with pytest.raises(KeyboardInterrupt):
            send("light", identity="cut")
    assert [name for name in transfers(config) if name.endswith(("_twice", "_long", "_cut"))] == []


def test_two_transfers_never_share_a_topic(send: Send, settings: Settings) -> None:
    config, topic = distribution_client(settings), send("light", identity="mine").topic
    with pytest.raises(UserError, match="must get a topic of its own"):
        send("light", identity="mine")
    assert sum(1 for _ in read_all(config, topic)) == 20
    remove_transfer(config, topic)
    assert topic not in transfers(config)


def test_what_is_asked_wrongly_is_refused(lake: Lake, settings: Settings) -> None:
    for nights, name, columns, said in (
        ("2018-08-20", None, "light", "must have science alerts"),
        (NIGHT.key, "no_such_filter", "light", "must be one the platform knows"),
        (NIGHT.key, None, "candid, nosuch", "did you mean|known are"),
        (NIGHT.key, None, "1=1; DROP TABLE science_alerts", "must be one the platform knows"),
        (f"{NIGHT.key}' OR '1'='1", None, "light", "must be a date"),
    ):
        with pytest.raises(UserError, match=said):
            ordered(settings, SURVEY, nights, name, columns, None)


def test_a_night_that_is_open_is_not_sent(lake: Lake, settings: Settings) -> None:
    change(lake, NIGHT.key, OPEN, "test", {})
    try:
        with pytest.raises(OperationError, match="must be closed"):
            ordered(settings, SURVEY, NIGHT.key, None, "light", None)
    finally:
        change(lake, NIGHT.key, CLOSED, "test", {})


def test_the_client_fetches_a_transfer_as_parquet(client: FinkClient, send: Send, names: Names, tmp_path: Path) -> None:
    topic = send(bright=True).topic
    client.register("fink_unused_ztf")

    client.transfer(topic, tmp_path / "fetched")

    fetched = pq.read_table(tmp_path / "fetched").to_pylist()
    assert _names(fetched) == Counter(names[SOME])
    assert all(alert["cutoutDifference"]["stampData"][:2] == b"\x1f\x8b" for alert in fetched)
    assert all(dict(alert["science_versions"])["roid"] for alert in fetched)


@pytest.mark.parametrize("columns", ["full packet", "medium", "light", "cutouts", "candidate.jd,roid"])
def test_every_content_can_be_read_with_the_schema_that_is_sent(
    send: Send, settings: Settings, names: Names, columns: str
) -> None:
    alerts = _read(distribution_client(settings), send(columns, bright=True).topic)

    assert _names(alerts) == Counter(names[SOME])
    assert {"cutoutScience" in alert for alert in alerts} == {columns in ("full packet", "cutouts")}
    assert {"prv_candidates" in alert for alert in alerts} == {columns in ("full packet", "medium")}
    assert all(alert["roid"] is not None for alert in alerts)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_client_fetches_all_partitions_in_either_form(
    client: FinkClient, send: Send, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ALERTS_A_PARTITION", 2)
    topic = send().topic
    client.register("fink_unused_ztf")

    client.transfer(topic, tmp_path / "parquet", "-partitionby", "time")
    client.transfer(topic, tmp_path / "avro", "-outformat", "avro", "--restart_from_beginning")

    table = ds.dataset(tmp_path / "parquet", partitioning="hive").to_table()
    alerts: list[Any] = []
    for file in (tmp_path / "avro").iterdir():
        with file.open("rb") as opened:
            alerts += fastavro.reader(opened)
    assert _names(table.to_pylist()) == _names(alerts) == Counter(names[ALL])
    assert len(list((tmp_path / "avro").iterdir())) > 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_run_of_the_client_needs_a_folder_of_its_own(
    client: FinkClient, send: Send, names: Names, tmp_path: Path
) -> None:
    """Both releases name the files of every run alike, so that those of a second one replace those of the first."""
    first, second = send("light"), send("light", bright=True)
    client.register("fink_unused_ztf")

    client.transfer(first.topic, tmp_path / "same")
    client.transfer(second.topic, tmp_path / "own")
    assert _names(pq.read_table(tmp_path / "same").to_pylist()) == Counter(names[ALL])
    assert _names(pq.read_table(tmp_path / "own").to_pylist()) == Counter(names[SOME])

    client.transfer(second.topic, tmp_path / "same", "--restart_from_beginning")
    assert _names(pq.read_table(tmp_path / "same").to_pylist()) == Counter(names[SOME])


@pytest.mark.slow
def test_the_client_takes_nothing_of_a_transfer_that_was_killed(
    client: FinkClient, send: Send, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    identity = f"killed{client.release.replace('.', '')}"
    monkeypatch.setattr(sending, "publish_schema", killed)
    monkeypatch.setattr(sending, "remove_transfer", _silently)
    with pytest.raises(KeyboardInterrupt):
        send("light", identity=identity)
    ((topic, whole),) = [(*each,) for each in transfers(distribution_client(settings)).items() if identity in each[0]]
    client.register("fink_unused_ztf")

    with suppress(AssertionError):
        client.transfer(topic, tmp_path / "fetched", launches=1)

    assert not whole
    assert list(tmp_path.glob("fetched/**/*.parquet")) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_sends_lists_and_removes(lake: Lake, settings: Settings) -> None:
    """In a process of its own, where the survey of these tests is made known first."""
    program = (
        "from fink_dagster import surveys; from tests.integration.clients.conftest import SURVEY; "
        "surveys._SURVEYS[SURVEY.name] = SURVEY; from fink_dagster.cli import main; main()"
    )

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, "transfer", *words]
        names = settings.environment() | {"FINK_SURVEY": SURVEY.name}
        return subprocess.run(command, cwd=CHECKOUT, env=names, capture_output=True, text=True, check=False)

    done = typed("--nights", NIGHT.key, "--columns", "light", "--id", "typed")
    assert done.returncode == 0, done.stderr
    number, _, topic = done.stdout.splitlines()[0].partition(" alerts of 1 night -> ")
    assert number == "20"
    assert topic in typed("--list").stdout.splitlines()

    again = typed("--nights", NIGHT.key, "--columns", "light", "--id", "typed")
    assert again.returncode == 2
    assert "which is there; choose another id" in again.stderr.splitlines()[-1]
    assert typed("--remove", topic).stdout == f"removed {topic}\n"
    assert topic not in typed("--list").stdout
    assert typed("--remove", topic).returncode == 1
