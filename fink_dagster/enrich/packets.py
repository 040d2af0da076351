"""Alerts out of one Avro file: a container of any number of records, or one message in the survey's own framing.

Damage is found where it is and said with its place; what is whole beside it is an alert. Which files there are, and
what becomes of the alerts, is not known here.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import fastavro

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.avro import by_place, has_path
from fink_dagster.surveys.container import MAGIC, MAX_HEADER_BYTES, AvroContainer
from fink_dagster.surveys.container_file import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fink_dagster.surveys.base import Framing, Header, Survey

_CONTAINER = AvroContainer()
_KEPT_WRITERS = 64


@dataclass(frozen=True)
class Place:
    """Where an alert was.

    Parameters
    ----------
    source : str
        The file, or the packet in a tarball.
    position : int
        Which record or row in it, from 0.
    """

    source: str
    position: int


@dataclass(frozen=True)
class Damaged:
    """What could not become an alert, by code and sentence, as the platform's quarantine has it."""

    place: Place
    code: str
    text: str


@dataclass(frozen=True)
class Decoded:
    """An alert as its packet has it."""

    place: Place
    alert: Mapping[str, Any]


class Decoder:
    """Decodes a survey's files; remembers the schemas it has seen, for a night has few of them.

    Parameters
    ----------
    survey : Survey
        Whose framing and whose required fields.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._writers: dict[bytes, tuple[Header, Any]] = {}

    def decode(self, name: str, file: BinaryIO) -> Iterator[Decoded | Damaged]:
        """Yield the alerts of a file in order, and where something is damaged what it is; never nothing at all.

        Parameters
        ----------
        name : str
            What the file is called.
        file : binary file
            Seekable, at its beginning.
        """
        place = Place(name, 0)
        try:
            for unit in self._units(file):
                yield from unit.decoded(place)
                place = Place(name, place.position + unit.count)
            if place.position == 0:
                raise CorruptData("not_one_record", "message: must hold a record; it holds none")
        except CorruptData as error:
            yield Damaged(place, error.code, error.text)

    def _units(self, file: BinaryIO) -> Iterator[_Unit]:
        head = file.read(MAX_HEADER_BYTES)
        if head.startswith(MAGIC):
            header, writer = self._writer(_CONTAINER, head)
            for block in blocks(file, header):
                yield _Unit(block.count, partial(block.bodies, header), writer)
        else:
            framing = self.survey.framing
            header, writer = self._writer(framing, head)
            yield _Unit(1, partial(framing.body, head + file.read(), header), writer)

    def _writer(self, framing: Framing, head: bytes) -> tuple[Header, Any]:
        """Return header and writer's schema of what begins with some bytes; reading a schema takes longest of all."""
        for raw, known in self._writers.items():
            if head.startswith(raw):
                return known
        header = framing.header(head)
        writer = by_place(header.schema)
        missing = [path for path in self.survey.required if not has_path(writer, path)]
        if missing:
            raise CorruptData("other_survey", f"message: an alert of {self.survey.name} must have {', '.join(missing)}")
        if len(self._writers) >= _KEPT_WRITERS:
            self._writers.clear()
        self._writers[header.raw] = header, _parsed(writer)
        return self._writers[header.raw]


@dataclass(frozen=True)
class _Unit:
    """What is whole or damaged as one: a block of records, or a message."""

    count: int
    bodies: Callable[[], bytes]
    writer: Any

    def decoded(self, place: Place) -> Iterator[Decoded | Damaged]:
        try:
            alerts = _records(self.bodies(), self.writer, self.count)
        except CorruptData as error:
            block = f"; with it goes a block of {self.count} records" if self.count > 1 else ""
            yield Damaged(place, error.code, error.text + block)
            return
        for number, alert in enumerate(alerts):
            yield Decoded(Place(place.source, place.position + number), alert)


def _parsed(writer: Any) -> Any:
    try:
        return fastavro.parse_schema(writer)
    except fastavro.schema.SchemaParseException:
        raise CorruptData("schema", "message: its schema must be valid Avro; it is not") from None


def _records(bodies: bytes, writer: Any, count: int) -> list[Any]:
    """Decode records that follow each other, to the last byte."""
    stream = io.BytesIO(bodies)
    try:
        records = [fastavro.schemaless_reader(stream, writer, None) for _ in range(count)]
    except Exception as error:  # noqa: BLE001 - fastavro lets out whatever damaged bytes lead to: IndexError, EOFError, ...
        raise CorruptData(
            "avro", f"message: its body must decode with its own schema; {type(error).__name__}"
        ) from None
    if stream.tell() != len(bodies):
        left = len(bodies) - stream.tell()
        raise CorruptData("trailing_bytes", f"message: its body must end with the record; {left} bytes follow")
    return records
