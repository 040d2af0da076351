"""As many messages as wanted, made from real ZTF packets: another identifier, another object, another time.

Everything else of a packet stays as the survey sent it: the header with the writer's schema, the sync markers, the
stamps, the history. Where the messages go is not known here.
"""

from __future__ import annotations

import io
import random
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.local.samples import ensure_samples
from fink_dagster.replay.sources import open_source
from fink_dagster.settings import CHECKOUT
from fink_dagster.surveys.avro import by_place
from fink_dagster.surveys.container import SYNC_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Header, Night, Survey

SEED = 20240505
_LARGER_NIGHT = CHECKOUT.parent / "shared" / "data" / "ztf" / "ztf_public_20181129.tar.gz"
"""499 packets, where they lie beside the checkout; else the 30 that ``make setup`` fetches."""
_HISTORIES = ("prv_candidates", "fp_hists")
_DARK_HOURS = (0.10, 0.50)
"""Palomar's night as fractions of a UTC day."""


@dataclass(frozen=True)
class Template:
    """A real packet, taken apart."""

    header: Header
    sync: bytes
    schema: Any
    alert: dict[str, Any]

    @classmethod
    def of(cls, packet: bytes, survey: Survey) -> Template:
        """Take a packet apart; raises :class:`~fink_dagster.errors.CorruptData` when it is damaged."""
        header = survey.framing.header(packet)
        schema = fastavro.parse_schema(by_place(header.schema))
        body = survey.framing.body(packet, header)
        start = len(header.raw)
        alert: Any = fastavro.schemaless_reader(io.BytesIO(body), schema, None)
        return cls(header, packet[start : start + SYNC_BYTES], schema, dict(alert))

    def packed(self, alert: dict[str, Any]) -> bytes:
        """Return a container like the packet's with another alert."""
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self.schema, alert)
        size = body.tell()
        return b"".join((self.header.raw, self.sync, _varint(1), _varint(size), body.getvalue(), self.sync))


def source(settings: Settings) -> Path:
    """Return the tarball whose packets the messages are made from, fetching it when there is none."""
    return _LARGER_NIGHT if _LARGER_NIGHT.exists() else ensure_samples(settings)


def templates(tarball: Path, survey: Survey) -> list[Template]:
    """Return the packets of a tarball, taken apart; compressed ones, which ZTF does not send, are left out."""
    taken = (Template.of(packet.data, survey) for packet in open_source(tarball).packets())
    return [template for template in taken if not template.header.compressed]


def messages(
    templates: Iterable[Template], night: Night, zero: float, number: int, seed: int = SEED
) -> Iterator[bytes]:
    """Yield messages of one night, the same ones for the same seed.

    Parameters
    ----------
    templates : iterable of Template
        Used one after another, again and again.
    night : Night
        The night all alerts are of.
    zero : float
        Julian date at which night 1970-01-01 begins, as in the survey's night rule.
    number : int
        How many.
    seed : int
        Of identifiers, objects and times.
    """
    chosen = list(templates)
    random_numbers = random.Random(seed)
    for place, candid in enumerate(random_numbers.sample(range(10**17, 10**18), number)):
        template = chosen[place % len(chosen)]
        jd = zero + night.day + random_numbers.uniform(*_DARK_HOURS)
        yield template.packed(as_another(template.alert, candid, _object(random_numbers), jd))


def as_another(alert: dict[str, Any], candid: int, object_id: str, jd: float) -> dict[str, Any]:
    """Return an alert as that of another object and time [JD, UTC]; its whole history moves with it."""
    shift = jd - alert["candidate"]["jd"]
    moved = {
        name: [_moved(point, shift) for point in alert[name]] for name in _HISTORIES if alert.get(name) is not None
    }
    candidate = {**_moved(alert["candidate"], shift), "candid": candid, "jd": jd}
    return {**alert, **moved, "objectId": object_id, "candid": candid, "candidate": candidate}


def _moved(point: dict[str, Any], shift: float) -> dict[str, Any]:
    dates = {name: value + shift for name, value in point.items() if name.startswith("jd") and value is not None}
    return {**point, **dates}


def _object(random_numbers: random.Random) -> str:
    return f"ZTF{random_numbers.randrange(18, 25)}" + "".join(random_numbers.choices(string.ascii_lowercase, k=7))


def _varint(number: int) -> bytes:
    """Write Avro's variable-length zigzag form of a number that is not negative."""
    left, out = number << 1, bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])
