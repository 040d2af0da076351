"""Replaying sources into a real broker: what arrives, where, how often."""

from __future__ import annotations

import io
import itertools
import signal
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import fastavro
import pytest
import typer
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from typer.testing import CliRunner

from fink_dagster.commands.replay import replay as command
from fink_dagster.errors import TransientError, UserError
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.replay.packet import Packet
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import Source, open_source
from fink_dagster.settings import Settings
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

ZTF = get_survey("ztf")
SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "candid", "type": "long"},
        {"name": "candidate", "type": {"type": "record", "name": "c", "fields": [{"name": "jd", "type": "double"}]}},
    ],
}
_DAYS = itertools.count(Night("2090-01-01").day)
Make = Callable[[list[bytes]], Source]


@pytest.fixture
def night() -> Night:
    """Return a night no other test has: the broker is one for all."""
    return Night.of_day(next(_DAYS))


@pytest.fixture
def topic(night: Night) -> str:
    return ZTF.topics(night)[0]


@pytest.fixture
def make(tmp_path: Path, night: Night) -> Make:
    """Make a tarball of the night from the bytes of its packets."""

    def build(contents: list[bytes]) -> Source:
        path = tmp_path / f"ztf_public_{night.compact}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for number, data in enumerate(contents):
                info = tarfile.TarInfo(f"{number}.avro")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return open_source(path)

    return build


def alert(night: Night, candid: int = 1, *, day: float = 0.5) -> bytes:
    out = io.BytesIO()
    jd = ZTF.night_rule.zero + night.day + day
    fastavro.writer(out, SCHEMA, [{"candid": candid, "candidate": {"jd": jd}}])
    return out.getvalue()


def messages(settings: Settings, topic: str) -> list[Message]:
    return list(read_all(survey_client(settings), topic))


def positions(found: list[Message]) -> Counter[int]:
    return Counter(int(dict(message.headers() or [])["fink-position"]) for message in found)


def test_real_packets_arrive_unchanged_once_and_in_their_partition(
    settings: Settings, sample_tarball: Path, topic: str
):
    with tarfile.open(sample_tarball) as tar:
        contents = [file.read() for member in tar if (file := tar.extractfile(member))]
    source = open_source(sample_tarball)
    done = replay(settings, ZTF, source, topic=topic)
    assert (done.sent, done.skipped, done.topics) == (len(contents), 0, (topic,))
    found = messages(settings, topic)
    assert positions(found) == Counter(range(len(contents)))
    for message in found:
        headers = dict(message.headers() or [])
        position = int(headers["fink-position"])
        assert (message.value(), message.key(), message.partition()) == (contents[position], None, position % 16)
        assert headers["fink-source"] == sample_tarball.name.encode()
        assert headers["fink-sha256"] == source.sha256.encode()


def test_each_packet_goes_to_the_night_of_its_own_time(settings: Settings, make: Make, night: Night, topic: str):
    next(_DAYS)
    following = Night.of_day(night.day + 1)
    source = make([alert(night), alert(following), alert(night, day=0.999), b"damaged"])
    done = replay(settings, ZTF, source)
    assert done.topics == (topic, ZTF.topics(following)[0])
    assert positions(messages(settings, topic)) == Counter([0, 2, 3])
    assert positions(messages(settings, done.topics[1])) == Counter([1])


def test_a_survey_topic_has_sixteen_partitions_and_does_not_expire(
    settings: Settings, make: Make, night: Night, topic: str
):
    replay(settings, ZTF, make([alert(night)]))
    admin, resource = AdminClient(survey_client(settings)), ConfigResource(ResourceType.TOPIC, topic)
    described = admin.describe_configs([resource])[resource].result(30)
    assert described["retention.ms"].value == described["retention.bytes"].value == "-1"
    assert len(admin.list_topics(topic, timeout=30).topics[topic].partitions) == 16


def test_replaying_again_sends_nothing(settings: Settings, make: Make, night: Night, topic: str):
    source = make([alert(night, candid) for candid in range(20)])
    assert replay(settings, ZTF, source).sent == 20
    done = replay(settings, ZTF, source)
    assert (done.sent, done.skipped, done.topics) == (0, 20, (topic,))
    assert positions(messages(settings, topic)) == Counter(range(20))


def test_duplicates_inside_a_source_are_all_sent(settings: Settings, make: Make, night: Night, topic: str):
    same = alert(night)
    source = make([same, same, same])
    assert replay(settings, ZTF, source).sent == 3
    assert replay(settings, ZTF, source).sent == 0
    assert [message.value() for message in messages(settings, topic)] == [same, same, same]


def test_again_sends_all_and_is_remembered(settings: Settings, make: Make, night: Night, topic: str):
    source = make([alert(night, candid) for candid in range(5)])
    replay(settings, ZTF, source)
    assert replay(settings, ZTF, source, again=True).sent == 5
    assert replay(settings, ZTF, source).sent == 0
    assert set(positions(messages(settings, topic)).values()) == {2}


def test_another_source_with_the_same_positions_is_sent(settings: Settings, make: Make, night: Night, topic: str):
    replay(settings, ZTF, make([alert(night, 1), alert(night, 2)]))
    assert replay(settings, ZTF, make([alert(night, 3), alert(night, 4)])).sent == 2
    assert len(messages(settings, topic)) == 4


class Stopped(BaseException):
    """As Ctrl-C would."""


def test_a_stopped_replay_sends_nothing_more_and_the_next_completes_it(
    settings: Settings, make: Make, night: Night, topic: str
):
    source = make([alert(night, candid) for candid in range(50)])

    def stop_at_twenty(done: int) -> None:
        if done >= 20:
            raise Stopped

    with pytest.raises(Stopped) as stopped:
        replay(settings, ZTF, source, rate=200, report=stop_at_twenty)
    before = positions(messages(settings, topic))
    assert 20 <= len(before) <= 50
    done = replay(settings, ZTF, source)
    assert (done.sent, done.skipped) == (50 - len(before), len(before))
    assert positions(messages(settings, topic)) == Counter(range(50))
    assert stopped.traceback, "the stopped replay and its producer must outlive the next one here"


@pytest.mark.parametrize("attempt", range(5))
def test_ctrl_c_ends_a_replay_as_itself(settings: Settings, make: Make, night: Night, attempt: int):
    """Caught inside a callback of librdkafka, it became a SystemError more often than not."""
    # Started in the background of a shell, the tests have inherited that Ctrl-C is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    source = make([alert(night, candid) for candid in range(400)])
    reported = threading.Event()
    main = threading.main_thread().ident or 0

    def press() -> None:
        reported.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        replay(settings, ZTF, source, rate=200 + attempt, report=lambda _: reported.set())
    presser.join()
    signal.signal(signal.SIGINT, before)


def test_a_source_that_breaks_off_leaves_what_was_sent(settings: Settings, make: Make, night: Night, topic: str):
    source = make([alert(night, candid) for candid in range(50)])

    def broken() -> Iterator[Packet]:
        yield from itertools.islice(source.packets(), 20)
        raise Stopped

    with pytest.raises(Stopped):
        replay(settings, ZTF, Source(source.name, source.sha256, source.total, broken), rate=200)
    before = len(messages(settings, topic))
    done = replay(settings, ZTF, source)
    assert (done.sent, done.skipped) == (50 - before, before)
    assert positions(messages(settings, topic)) == Counter(range(50))


def test_damaged_packets_arrive_as_they_are(settings: Settings, make: Make, night: Night, topic: str):
    contents = [b"", b"\0", b"Obj\x01", alert(night)[:-5], alert(night) + b"x", bytes(5_000_000)]
    assert replay(settings, ZTF, make(contents)).sent == len(contents)
    found = {
        int(dict(message.headers() or [])["fink-position"]): message.value() for message in messages(settings, topic)
    }
    assert found == dict(enumerate(contents))


def test_refused_is_before_anything_is_made(settings: Settings, make: Make, night: Night, topic: str):
    source = make([alert(night), b"damaged"])
    with pytest.raises(UserError, match="every packet must tell its night"):
        replay(settings, ZTF, Source("alerts", source.sha256, 2, source.packets))
    assert existing_topics(survey_client(settings), [topic]) == set()


def test_a_rate_is_kept(settings: Settings, make: Make, night: Night):
    before = time.monotonic()
    replay(settings, ZTF, make([alert(night, candid) for candid in range(11)]), rate=10)
    assert 1.0 <= time.monotonic() - before < 5


def test_original_speed_follows_the_alerts_own_times(settings: Settings, make: Make, night: Night):
    source = make([alert(night, candid, day=0.5 + candid * 0.75 / 86400) for candid in range(3)])
    before = time.monotonic()
    replay(settings, ZTF, source, original_speed=True)
    assert 1.49 <= time.monotonic() - before < 5


def test_every_packet_is_reported(settings: Settings, make: Make, night: Night):
    source = make([alert(night, candid) for candid in range(7)])
    for _ in range(2):
        reported: list[int] = []
        replay(settings, ZTF, source, report=reported.append)
        assert reported == sorted(set(reported))
        assert reported[-1] == 7


def test_no_broker_is_one_sentence(make: Make, night: Night):
    with pytest.raises(TransientError, match=r"a broker must answer at 127\.0\.0\.1:1; none did in 10 s"):
        replay(Settings(kafka_port=1), ZTF, make([alert(night)]))


def test_the_command_says_what_it_did(
    settings: Settings, make: Make, night: Night, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fink_dagster.commands.replay.load_settings", lambda: settings)
    source = make([alert(night, candid) for candid in range(3)])
    app = typer.Typer()
    app.command()(command)
    for line in (f"sent 3, already there 0 -> {topic}", f"sent 0, already there 3 -> {topic}"):
        result = CliRunner().invoke(app, [str(tmp_path / source.name)])
        assert (result.exit_code, result.output.strip()) == (0, line)
