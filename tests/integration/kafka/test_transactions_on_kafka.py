"""Exactly once, on a real broker: kills, zombies, doubt, and what the markers say after each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.markers import Sent
from fink_dagster.kafka.topics import ensure_topic
from fink_dagster.kafka.transactions import Outgoing, TransactionalWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fink_dagster.settings import Settings

FIRST_CANDID = 3367463101415010117


class Night:
    """Topics and names of one test, shared with no other."""

    def __init__(self, settings: Settings) -> None:
        word = uuid.uuid4().hex[:8]
        self.config = distribution_client(settings)
        self.topics = [f"fink_{name}_{word}" for name in ("a", "b")]
        self.markers = f"fink_markers_{word}"
        self.id = f"fink-{word}"
        self.writers: list[TransactionalWriter] = []
        for topic in self.topics:
            ensure_topic(self.config, topic, 3)

    def writer(self, name: str = "") -> TransactionalWriter:
        self.writers.append(TransactionalWriter(self.config, self.id + name, self.markers))
        return self.writers[-1]

    def alerts(self, count: int, start: int = 0) -> list[Outgoing]:
        return [
            Outgoing(topic, topic, FIRST_CANDID + number, b"schema", b"%d" % (FIRST_CANDID + number), [("h", b"1")])
            for number in range(start, start + count)
            for topic in self.topics
        ]

    def received(self) -> Counter[tuple[str, int]]:
        """Return how often a reader of committed messages sees each (topic, candid)."""
        read = (message for topic in self.topics for message in read_all(self.config, topic))
        return Counter((str(message.topic()), int(message.value() or b"")) for message in read)


@pytest.fixture
def night(settings: Settings) -> Iterator[Night]:
    made = Night(settings)
    yield made
    for writer in made.writers:
        writer.close()


def _once(alerts: Sequence[Outgoing]) -> Counter[tuple[str, int]]:
    return Counter((alert.topic, alert.candid) for alert in alerts)


def _missing(alerts: Sequence[Outgoing], sent: Sequence[Sent]) -> list[Outgoing]:
    known = {(item.filter, item.candid) for item in sent}
    return [alert for alert in alerts if (alert.filter, alert.candid) not in known]


def test_sent_alerts_are_where_the_writer_says(night: Night) -> None:
    alerts = night.alerts(50)
    sent = night.writer().send("b1", alerts)
    there = {
        (str(message.topic()), message.partition(), message.offset()): message
        for topic in night.topics
        for message in read_all(night.config, topic)
    }
    assert [(item.filter, item.candid) for item in sent] == [(alert.filter, alert.candid) for alert in alerts]
    assert [int(there[item.topic, item.partition, item.offset].value() or b"") for item in sent] == [
        alert.candid for alert in alerts
    ]
    assert there[sent[0].topic, sent[0].partition, sent[0].offset].headers() == [("h", b"1")]


def test_markers_hold_all_batches_of_all_writers_to_every_digit(night: Night) -> None:
    sent = night.writer().send("b1", night.alerts(3))
    sent += night.writer("other").send("b2", night.alerts(2, start=3))
    assert night.writer().markers() == sent
    assert night.writer().markers()[0].candid == 3367463101415010117


def test_markers_of_a_large_batch_are_several_messages_and_complete(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fink_dagster.kafka.markers.MARKER_BYTES", 1000)
    writer = night.writer()
    sent = writer.send("b1", night.alerts(100))
    assert len(list(read_all(night.config, night.markers))) > 10
    assert writer.markers() == sent


def test_a_night_that_sent_nothing_has_no_markers(night: Night) -> None:
    assert night.writer().markers() == []


@pytest.mark.parametrize("moment", ["before_marker", "before_commit", "after_commit"])
def test_alerts_arrive_once_when_the_writer_is_killed(night: Night, moment: str) -> None:
    alerts = night.alerts(20)
    _killed_while_sending(night, moment)
    after = night.writer()
    missing = _missing(alerts, after.markers())
    assert len(missing) == (0 if moment == "after_commit" else len(alerts))
    after.send("b1 again", missing)
    assert night.received() == _once(alerts)
    assert _missing(alerts, after.markers()) == []


def _killed_while_sending(night: Night, moment: str) -> None:
    """Send 20 alerts in another process, and kill it before their marker, before committing, or just after it."""
    script = f"""
import json, sys, time
from fink_dagster.kafka import transactions
from fink_dagster.kafka.transactions import Outgoing, TransactionalWriter

def stop():
    print("here", flush=True)
    time.sleep(120)

class Stopping(TransactionalWriter):
    def _commit(self, producer):
        if {moment == "after_commit"}:
            super()._commit(producer)
        stop()

if {moment == "before_marker"}:
    produce = transactions._produce_all
    transactions._produce_all = lambda *given: (produce(*given), stop())

config, name, markers, alerts = json.load(sys.stdin)
alerts = [Outgoing(topic, topic, candid, b"schema", str(candid).encode()) for topic, candid in alerts]
Stopping(config, name, markers).send("b1", alerts)
"""
    told = [night.config, night.id, night.markers, [(alert.topic, alert.candid) for alert in night.alerts(20)]]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        assert process.stdout.readline() == "here\n"
        os.kill(process.pid, signal.SIGKILL)


def test_a_zombie_is_shut_out_and_leaves_nothing(night: Night) -> None:
    zombie, living = night.writer(), night.writer()
    zombie.send("b1", night.alerts(1))
    living.open()
    for _ in range(2):
        with pytest.raises(OperationError, match="one run may write this night; got another"):
            zombie.send("b2", night.alerts(1, start=1))
    living.send("b3", night.alerts(1, start=2))
    assert night.received() == _once(night.alerts(1) + night.alerts(1, start=2))


def test_writers_of_two_nights_do_not_disturb_each_other(night: Night) -> None:
    one, other = night.writer("1"), night.writer("2")
    for number in range(3):
        one.send("b", night.alerts(1, start=2 * number))
        other.send("b", night.alerts(1, start=2 * number + 1))
    assert night.received() == _once(night.alerts(6))


class Doubtful(TransactionalWriter):
    """Its commits happen, and it never hears of it."""

    def _commit(self, producer: Producer) -> None:
        super()._commit(producer)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", retriable=True))


def test_after_a_commit_without_answer_the_markers_tell_what_arrived(night: Night) -> None:
    writer = Doubtful(night.config, night.id, night.markers)
    night.writers.append(writer)
    with pytest.raises(TransientError, match="compare with the markers"):
        writer.send("b1", night.alerts(5))
    assert _missing(night.alerts(5), writer.markers()) == []
    assert night.received() == _once(night.alerts(5))


def test_markers_behind_the_open_transaction_of_another_are_waited_for(night: Night) -> None:
    """Taken for never sent, they would be sent twice."""
    slow, quick = night.writer("slow"), night.writer("quick")
    reached, go_on = threading.Event(), threading.Event()

    def wait(producer: Producer) -> None:
        reached.set()
        go_on.wait(30)
        TransactionalWriter._commit(slow, producer)

    slow._commit = wait  # type: ignore[method-assign]
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(slow.send, "b1", night.alerts(1))
        assert reached.wait(30)
        sent = quick.send("b2", night.alerts(1, start=1))
        reading = pool.submit(quick.markers)
        threading.Timer(2, go_on.set).start()
        assert reading.result(60) == sending.result(60) + sent


def test_a_message_too_long_for_its_topic_is_refused_and_leaves_nothing(night: Night) -> None:
    writer = night.writer()
    topic = night.topics[0]
    with pytest.raises(OperationError, match="must be one its topic takes"):
        writer.send("b1", [*night.alerts(1), Outgoing("a", topic, 1, b"", bytes(20_000_000))])
    assert night.received() == Counter()
    writer.send("b2", night.alerts(1))
    assert night.received() == _once(night.alerts(1))
