"""Packets made from real ones: another time, another identifier, another field, damage."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import fastavro

if TYPE_CHECKING:
    from collections.abc import Callable


def decoded(packet: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return schema and record of a packet."""
    reader = fastavro.reader(io.BytesIO(packet))
    return dict(reader.writer_schema), dict(next(reader))


def encoded(schema: dict[str, Any], *records: dict[str, Any], codec: str = "null") -> bytes:
    """Return a container with some records."""
    out = io.BytesIO()
    fastavro.writer(out, schema, records, codec=codec, sync_interval=10_000_000)
    return out.getvalue()


def changed(packet: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a packet whose record was changed."""
    schema, record = decoded(packet)
    change(record)
    return encoded(schema, record)


def with_identifier(packet: bytes, candid: int) -> bytes:
    """Return the packet as another alert."""

    def change(record: dict[str, Any]) -> None:
        record["candid"] = record["candidate"]["candid"] = candid

    return changed(packet, change)


def with_new_field(packet: bytes, name: str, value: float) -> bytes:
    """Return the packet as a writer with one more field in ``candidate`` would send it."""
    reader = fastavro.reader(io.BytesIO(packet))
    schema, record = reader.writer_schema, dict(next(reader))
    candidate = next(field for field in schema["fields"] if field["name"] == "candidate")
    candidate["type"]["fields"].append({"name": name, "type": ["null", "double"], "default": None})
    record["candidate"][name] = value
    return encoded(schema, record)
