"""One packet of a source and the night it says it belongs to.

Where packets come from is known in ``sources``, where they go in ``replay``.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from fink_dagster.surveys.base import Header, Night, Survey

MAX_PACKET_BYTES = 16_000_000
"""A ZTF packet has 20 to 80 kB; what is larger than this fits no topic made here, and packets are held in memory."""


@dataclass(frozen=True)
class Packet:
    """One packet as found.

    Parameters
    ----------
    position : int
        Its place in the source, from 0; what a replay is resumed by.
    name : str
        The name of its file.
    data : bytes
        Its bytes, damaged or not.
    """

    position: int
    name: str
    data: bytes


@dataclass(frozen=True)
class Moment:
    """When an alert was, by its own word.

    Parameters
    ----------
    time : float
        Its time [d], in the scale of its survey's night rule.
    night : Night
        The night that time belongs to.
    """

    time: float
    night: Night


def moment_of(packet: Packet, survey: Survey) -> Moment:
    """Read the time in a packet.

    Raises
    ------
    CorruptData
        When the packet is damaged, has no time, or tells one that no calendar has.
    """
    header = survey.framing.header(packet.data)
    rule = survey.night_rule
    value = _decode(survey.framing.body(packet.data, header), header)
    for name in rule.field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, int | float):
        raise CorruptData("night", f"message: {rule.field} must be a number; it is not")
    try:
        return Moment(float(value), rule.night(value))
    except (OverflowError, ValueError):
        raise CorruptData("night", f"message: {rule.field} must be in the calendar; got {value}") from None


def _decode(body: bytes, header: Header) -> Any:
    try:
        return fastavro.schemaless_reader(io.BytesIO(body), _parsed(header.schema_json), None)
    except CorruptData:
        raise
    except Exception as error:  # noqa: BLE001 - fastavro lets out whatever damaged bytes lead to: IndexError, EOFError, ...
        raise CorruptData("decode", f"message: must decode with its own schema; got {type(error).__name__}") from None


@lru_cache(maxsize=64)  # a night has one or two; parsing one takes longer than decoding a packet
def _parsed(schema_json: str) -> Any:
    return fastavro.parse_schema(by_place(json.loads(schema_json)))
