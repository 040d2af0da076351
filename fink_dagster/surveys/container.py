r"""One alert as one Avro object container file: ZTF's way of packing a message.

``Obj\x01``, a map of metadata with the writer's schema, a sync marker of 16 bytes, then one block: count, size, body
and the same marker again (Avro specification, "Object Container Files"). A container here holds one block with one
record and is read to its end; whatever else it holds, or lacks, is an error. No field of an alert is known here.
"""

from __future__ import annotations

import io
import json
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.base import Header

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
MAX_SIZE_BYTES = 4
"""Bytes of a block's size the JVM decoder looks at: up to 128 MiB; a longer message is never decoded there."""
MAX_HEADER_BYTES = 1_048_576
MAX_BODY_BYTES = 8_388_608
"""Largest body after decompression; a ZTF alert has 20 to 70 kB, so a bomb ends here and an alert never does."""


class AvroContainer:
    """Framing of a message that is a whole Avro container with one alert."""

    def header(self, message: bytes) -> Header:
        """Read the metadata of a container.

        Raises
        ------
        CorruptData
            ``empty``, ``not_a_container``, ``truncated``, ``schema`` or ``codec``.
        """
        if not message:
            raise CorruptData("empty", "message: must hold an alert; got 0 bytes")
        if message[: len(MAGIC)] != MAGIC:
            raise CorruptData("not_a_container", f"message: must begin with Obj\\x01; got {message[:4]!r}")
        stream = io.BytesIO(message[:MAX_HEADER_BYTES])
        stream.seek(len(MAGIC))
        metadata = _read_metadata(stream)
        return _header(message[: stream.tell()], metadata)

    def body(self, message: bytes, header: Header) -> bytes:
        """Return the bytes of the only record of a container.

        Raises
        ------
        CorruptData
            ``truncated``, ``trailing_bytes``, ``not_one_record`` or ``sync_marker``.
        """
        stream = io.BytesIO(message)
        stream.seek(len(header.raw))
        sync = stream.read(SYNC_BYTES)
        count, size = varint(stream), varint(stream)
        if count != 1:
            raise CorruptData("not_one_record", f"message: must hold one record in one block; got a block of {count}")
        if not 0 <= size <= len(message):
            raise CorruptData("truncated", f"message: block must fit {len(message)} bytes; got size {size}")
        body, end = stream.read(size), stream.read(SYNC_BYTES)
        if len(body) < size:
            raise CorruptData(
                "truncated", f"message: must hold a block of {size} bytes; got {len(body)} before its end"
            )
        if len(end) < SYNC_BYTES:
            raise CorruptData("truncated", f"message: a sync marker must follow its block; got {len(end)} of 16 bytes")
        if end != sync:
            raise CorruptData(
                "sync_marker", "message: the block must end with the container's sync marker; it does not"
            )
        if stream.read(1):
            raise CorruptData("trailing_bytes", "message: must end after its only block; more bytes follow")
        return inflate(body) if header.compressed else body

    def with_alert(
        self, messages: DataFrame, column: str, header: Header, writer: str, reader: str
    ) -> tuple[DataFrame, Column]:
        """Add the alert of containers with this very header; it is null for all others.

        The sync marker after the block is decoded as a last field of the record: when the record ends anywhere else
        than the block does, that field is not the marker.
        """
        from pyspark.sql import functions as F
        from pyspark.sql.avro.functions import from_avro

        start, frame = len(header.raw), F.col(f"{column}_frame")
        # Each mention of the message copies all of it; so what stands around the body is cut out first, at once.
        framed = messages.withColumns(
            {
                f"{column}_bytes": F.length("value"),
                f"{column}_frame": F.substring("value", start + 1, SYNC_BYTES + 1 + MAX_SIZE_BYTES),
                f"{column}_begins": F.substring("value", 1, start) == F.lit(header.raw),
            }
        )
        tail_bytes = F.col(f"{column}_bytes") - F.lit(start + SYNC_BYTES + 1)
        width = _size_width(frame, tail_bytes)
        whole = (
            F.col(f"{column}_begins") & (F.substring(frame, SYNC_BYTES + 1, 1) == F.lit(b"\x02")) & width.isNotNull()
        )
        block = F.col("value").substr(F.lit(start + SYNC_BYTES + 2) + width, tail_bytes)
        options = {"mode": "PERMISSIVE", "avroSchema": _with_sync(reader)}
        decoded = framed.withColumn(column, from_avro(F.when(whole, block), _with_sync(writer), options))
        return decoded, F.col(f"{column}.sync") == F.substring(frame, 1, SYNC_BYTES)


def _with_sync(schema: str) -> str:
    marker = {"type": "fixed", "name": "marker", "size": SYNC_BYTES}
    fields = [{"name": "alert", "type": json.loads(schema)}, {"name": "sync", "type": marker}]
    return json.dumps({"type": "record", "name": "block", "fields": fields})


def _size_width(frame: Column, tail_bytes: Column) -> Column:
    """Return how many bytes the block's size takes, when it is what the message's length says; else null."""
    from pyspark.sql import functions as F

    width = F.lit(None).cast("int")
    for candidate in range(1, MAX_SIZE_BYTES + 1):
        zigzag = (tail_bytes - F.lit(candidate + SYNC_BYTES)) * F.lit(2)
        width = F.when(_is_varint(frame, candidate, zigzag), F.lit(candidate)).otherwise(width)
    return width


def _is_varint(frame: Column, width: int, number: Column) -> Column:
    """Tell whether the bytes after marker and count are a number, written with ``width`` bytes of seven bits."""
    from pyspark.sql import functions as F

    holds = (number >= F.lit(0 if width == 1 else 1 << 7 * (width - 1))) & (number < F.lit(1 << 7 * width))
    for place in range(width):
        more = 0x80 if place < width - 1 else 0
        byte = F.shiftright(number, 7 * place).bitwiseAND(F.lit(0x7F)) + F.lit(more)
        stored = F.hex(F.substring(frame, SYNC_BYTES + 2 + place, 1))
        holds = holds & (F.conv(stored, 16, 10).cast("int") == byte)
    return holds


def varint(stream: BinaryIO) -> int:
    """Read Avro's variable-length zigzag number, 10 bytes at most."""
    value = 0
    for place in range(10):
        byte = stream.read(1)
        if not byte:
            raise CorruptData("truncated", "message: ends inside a number")
        value |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
    raise CorruptData("not_a_container", "message: a number must have at most 10 bytes; it goes on")


def _read_metadata(stream: io.BytesIO) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    while count := varint(stream):
        if count < 0:
            count, _ = -count, varint(stream)
        if count > 64:
            raise CorruptData("not_a_container", f"message: metadata must have a few entries; got {count}")
        for _ in range(count):
            key = _read_bytes(stream)
            metadata[key.decode("utf-8", "replace")] = _read_bytes(stream)
    return metadata


def _read_bytes(stream: io.BytesIO) -> bytes:
    size = varint(stream)
    data = stream.read(size) if 0 <= size <= MAX_HEADER_BYTES else b""
    if len(data) != size:
        raise CorruptData("truncated", "message: ends inside its metadata")
    return data


def _header(raw: bytes, metadata: dict[str, bytes]) -> Header:
    codec = metadata.get("avro.codec", b"null")
    if codec not in (b"null", b"deflate"):
        raise CorruptData("codec", f"message: codec must be null or deflate; got {codec[:20]!r}")
    schema_json, schema = _parse(metadata.get("avro.schema"))
    return Header(raw, schema, schema_json, compressed=codec == b"deflate")


def _parse(text: bytes | None) -> tuple[str, dict[str, Any]]:
    try:
        decoded = (text or b"").decode("utf-8")
        schema = json.loads(decoded)
    except (ValueError, RecursionError):
        raise CorruptData("schema", "message: its schema must be JSON; it cannot be read") from None
    if not isinstance(schema, dict):
        raise CorruptData("schema", "message: its schema must be of a record")
    return decoded, schema


def inflate(body: bytes, most: int = MAX_BODY_BYTES) -> bytes:
    """Return what a deflated block holds; raises ``CorruptData`` when that is more than ``most`` bytes."""
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(body, most)
    except zlib.error:
        raise CorruptData("codec", "message: its block must be deflated data; it cannot be inflated") from None
    if not inflater.eof and len(plain) >= most:
        raise CorruptData("too_large", f"message: must inflate to at most {most} bytes; it goes on")
    if not inflater.eof:
        raise CorruptData("truncated", "message: its block must inflate to an end; it breaks off")
    # Writers that cut a zlib stream down leave part of its checksum (fastavro 3 of its 4 bytes).
    if len(inflater.unused_data) > 4:
        raise CorruptData("trailing_bytes", "message: its block must end with the deflated data; more bytes follow")
    return plain
