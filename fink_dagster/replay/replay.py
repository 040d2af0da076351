"""Producing the packets of a source to the embedded survey Kafka: which topic, which are there already, how fast.

Every message carries its source's name and sha-256 and its position there, so that a replay that was interrupted, or
is run again, sends only what a topic lacks. What a source is belongs to ``sources``; reading alerts to the stages.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.errors import CorruptData, UserError
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import ensure_topic
from fink_dagster.replay.delivery import Delivery
from fink_dagster.replay.pace import pace_of
from fink_dagster.replay.packet import moment_of
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fink_dagster.replay.packet import Moment, Packet
    from fink_dagster.replay.sources import Source
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Survey

SOURCE_HEADER = "fink-source"
SHA256_HEADER = "fink-sha256"
POSITION_HEADER = "fink-position"


@dataclass(frozen=True)
class Replayed:
    """What a replay has done.

    Parameters
    ----------
    sent : int
        Packets sent and confirmed.
    skipped : int
        Packets their topic held already.
    topics : tuple of str
        Where the source's packets are now, in order of name.
    """

    sent: int
    skipped: int
    topics: tuple[str, ...]


def replay(
    settings: Settings,
    survey: Survey,
    source: Source,
    *,
    topic: str | None = None,
    rate: float | None = None,
    original_speed: bool = False,
    again: bool = False,
    report: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Produce each packet of a source unchanged, and return when every one is confirmed.

    A packet goes to the survey's topic of the night of its own time; one that does not tell it, to that of the night
    in the source's name. Its partition follows from its position, so that two replays are alike. Two replays of one
    source at the same time are not told apart.

    Parameters
    ----------
    settings : Settings
        The platform.
    survey : Survey
        Whose packets these are.
    source : Source
        The packets.
    topic : str, optional
        The one topic for all.
    rate : float, optional
        Packets a second, at most.
    original_speed : bool
        Send packets as far apart as their own times are.
    again : bool
        Send also what a topic holds already from this source.
    report : callable
        Called with the number of packets dealt with so far.

    Raises
    ------
    UserError
        Before anything is sent: when the survey's Kafka is not the embedded one, the topic is not the survey's, the
        speed cannot be meant, or a packet's night is known from nowhere.
    TransientError
        When no broker answers.
    OperationError
        When a packet was not delivered.
    """
    must_be_embedded(settings)
    pace = pace_of(rate, original_speed=original_speed)
    route = _Route(survey, source, topic, always_read=pace.needs_moments)
    route.check()
    config = survey_client(settings)
    places = _Places(config, survey, None if again else source.sha256)
    skipped, started = 0, 0.0
    with Delivery(config, lambda: report(delivery.arrived + skipped)) as delivery:
        for packet in source.packets():
            name, moment = route.of(packet)
            place = places.open(name)
            if packet.position in place.present:
                skipped += 1
                report(delivery.arrived + skipped)
                continue
            started = started or time.monotonic()
            delivery.wait_until(started + pace.due(delivery.given, moment))
            delivery.send(name, packet.position % place.partitions, packet.data, _headers(source, packet))
            if delivery.hopeless:
                break
        delivery.finish()
    return Replayed(delivery.arrived, skipped, places.names)


def must_be_embedded(settings: Settings) -> None:
    """Refuse to go on where the survey's Kafka is not the embedded one.

    Raises
    ------
    UserError
        When it is another: nothing is ever written to a survey.
    """
    address = settings.survey_kafka.address
    if address not in (None, settings.embedded_kafka_address):
        wanted = f"packets are sent to the embedded Kafka at {settings.embedded_kafka_address} only"
        message = f"replay: {wanted}; FINK_SURVEY_KAFKA__ADDRESS is {address!r}; unset it to replay"
        raise UserError(message)


class _Route:
    """Which topic each packet of a source goes to."""

    def __init__(self, survey: Survey, source: Source, topic: str | None, *, always_read: bool) -> None:
        if topic is not None and survey.night_of_topic(topic) is None:
            example = survey.topics(survey.first_night)[0]
            message = f"replay: topic must be one of {survey.name}'s; got {topic[:60]!r}; for example {example}"
            raise UserError(message)
        self._survey = survey
        self._source = source
        self._topic = topic
        self._default = topic or _topic_in_name(survey, source.name)
        self._reads = always_read or topic is None

    def check(self) -> None:
        """Make sure, before anything is sent, that there is a topic for every packet."""
        if self._default is None:
            for packet in self._source.packets():
                self.of(packet)

    def of(self, packet: Packet) -> tuple[str, Moment | None]:
        """Return a packet's topic and, where it was read, its moment."""
        moment, why = None, ""
        if self._reads:
            try:
                moment = moment_of(packet, self._survey)
            except CorruptData as error:
                why = error.code
        own = self._survey.topics(moment.night)[0] if moment else None
        topic = self._topic or own or self._default
        if topic is None:
            got = f"{packet.name} is damaged ({why}) and the source's name has no night"
            message = f"source {self._source.name!r}: every packet must tell its night; {got}; say it with --topic"
            raise UserError(message)
        return topic, moment


@dataclass(frozen=True)
class _Place:
    """A topic: how many partitions it has and which positions of the source it holds."""

    partitions: int
    present: frozenset[int]


class _Places:
    """The topics of one replay, made and looked into when the first packet for each comes."""

    def __init__(self, config: Mapping[str, str], survey: Survey, sha256: str | None) -> None:
        self._config = config
        self._survey = survey
        self._sha256 = sha256
        self._known: dict[str, _Place] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._known))

    def open(self, topic: str) -> _Place:
        if topic not in self._known:
            partitions = ensure_topic(self._config, topic, self._survey.topic_partitions, retention_ms=-1)
            present = positions_in(self._config, topic, self._sha256) if self._sha256 else frozenset()
            self._known[topic] = _Place(partitions, present)
        return self._known[topic]


def positions_in(config: Mapping[str, str], topic: str, sha256: str) -> frozenset[int]:
    """Return the positions of a source that a topic holds; reads the whole topic, as Kafka gives no headers alone.

    Raises
    ------
    TransientError
        When no broker answers.
    OperationError
        When there is no such topic.
    """
    found = set()
    for message in read_all(config, topic):
        headers = {header[0]: header[1] for header in message.headers() or () if isinstance(header[1], bytes)}
        position = headers.get(POSITION_HEADER, b"")
        if headers.get(SHA256_HEADER) == sha256.encode() and position.isdigit():
            found.add(int(position))
    return frozenset(found)


def _headers(source: Source, packet: Packet) -> list[tuple[str, bytes]]:
    return [
        (SOURCE_HEADER, os.fsencode(source.name)),
        (SHA256_HEADER, source.sha256.encode()),
        (POSITION_HEADER, str(packet.position).encode()),
    ]


def _topic_in_name(survey: Survey, name: str) -> str | None:
    """Return the topic of the night in ``<survey>_public_YYYYMMDD...``, the archive's way to name a night."""
    match = re.match(rf"{re.escape(survey.name)}_public_(\d{{4}})(\d{{2}})(\d{{2}})(?!\d)", name, re.ASCII)
    try:
        return survey.topics(Night.parse("-".join(match.groups())))[0] if match else None
    except UserError:
        return None
