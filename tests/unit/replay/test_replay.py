"""Where packets go and what is refused before a broker is asked; nothing answers at the addresses used here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fink_dagster.errors import UserError
from fink_dagster.replay import replay as replaying
from fink_dagster.replay.packet import Packet
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import Source, open_source
from fink_dagster.settings import KafkaCluster, Settings
from fink_dagster.surveys import get_survey

ZTF = get_survey("ztf")
SETTINGS = Settings(kafka_port=1)
JD = 2458349.75
DAMAGED = b"Obj\x01 and no more"
Make = Callable[..., Path]
Bytes = Callable[..., bytes]


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch):
    def sent(*_arguments: object, **_options: object) -> None:
        pytest.fail("a broker was asked")

    monkeypatch.setattr(replaying, "Delivery", sent)
    monkeypatch.setattr(replaying, "ensure_topic", sent)


def source(*contents: bytes, name: str = "alerts") -> Source:
    packets = [Packet(position, f"{position}.avro", data) for position, data in enumerate(contents)]
    return Source(name, "0" * 64, len(packets), lambda: iter(packets))


def routed(of: Source, topic: str | None = None) -> list[str]:
    route = replaying._Route(ZTF, of, topic, always_read=False)
    route.check()
    return [route.of(packet)[0] for packet in of.packets()]


def test_each_packet_goes_to_the_night_of_its_own_time(packet_bytes: Bytes):
    assert routed(source(packet_bytes(JD), packet_bytes(JD + 1), name="ztf_public_20200101.tar.gz")) == [
        "ztf_20180819_programid1",
        "ztf_20180820_programid1",
    ]


@pytest.mark.parametrize(
    "name", ["ztf_public_20180819.tar.gz", "ztf_public_20180819", "ztf_public_20180819_mod1000.tar.gz"]
)
def test_a_damaged_packet_goes_to_the_night_in_the_sources_name(packet_bytes: Bytes, name: str):
    nights = routed(source(packet_bytes(JD + 1), DAMAGED, packet_bytes(None), name=name))
    assert nights == ["ztf_20180820_programid1", "ztf_20180819_programid1", "ztf_20180819_programid1"]


def test_all_go_to_the_topic_that_is_asked_for(packet_bytes: Bytes):
    topic = "ztf_20211122_programid1"
    assert routed(source(packet_bytes(JD), DAMAGED, name="ztf_public_20180819.tar.gz"), topic) == [topic, topic]


@pytest.mark.parametrize(
    "name", ["damaged", "ztf_public_201808190.tar.gz", "ztf_public_20181399.tar.gz", "my_ztf_public_20180819", "1.avro"]
)
def test_a_packet_of_no_night_stops_everything_before_anything_is_sent(packet_bytes: Bytes, name: str):
    with pytest.raises(
        UserError, match=r"1\.avro is damaged \(truncated\) and the source's name has no night; .*--topic"
    ):
        replay(SETTINGS, ZTF, source(packet_bytes(JD), DAMAGED, name=name))


@pytest.mark.parametrize("topic", ["", "alerts", "ztf_20180819_programid2", "ztf_20181399_programid1", "../x", "a b"])
def test_a_topic_that_is_not_the_surveys_is_refused(packet_bytes: Bytes, topic: str):
    with pytest.raises(UserError, match=r"topic must be one of ztf's; .* for example ztf_20180601_programid1"):
        replay(SETTINGS, ZTF, source(packet_bytes(JD)), topic=topic)


def test_nothing_is_written_to_a_survey(packet_bytes: Bytes):
    settings = Settings(kafka_port=1, survey_kafka=KafkaCluster(address="public.alerts.example.org:9092"))
    with pytest.raises(UserError, match=r"only; FINK_SURVEY_KAFKA__ADDRESS is 'public\.alerts\.example\.org:9092'"):
        replay(settings, ZTF, source(packet_bytes(JD)))


def test_the_embedded_address_may_be_said_aloud():
    replaying.must_be_embedded(Settings(kafka_port=1, survey_kafka=KafkaCluster(address="127.0.0.1:1")))


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"rate": 5.0, "original_speed": True}])
def test_a_speed_that_cannot_be_meant_is_refused(packet_bytes: Bytes, options: dict):
    with pytest.raises(UserError):
        replay(SETTINGS, ZTF, source(packet_bytes(JD)), **options)


def test_headers_name_source_content_and_position(make_tarball: Make, packet_bytes: Bytes):
    one = open_source(make_tarball([("1.avro", packet_bytes(JD))]))
    headers = replaying._headers(one, Packet(12, "1.avro", b""))
    assert dict(headers) == {
        "fink-source": b"ztf_public_20180819.tar.gz",
        "fink-sha256": one.sha256.encode(),
        "fink-position": b"12",
    }
