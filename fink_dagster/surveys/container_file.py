"""An Avro object container file of any number of records, read block by block.

What a scientist has on disk: a packet as the survey sends it, or an export of many alerts. A block is believed when the
container's sync marker follows it. Messages on the wire, which hold one record, are ``container``'s; no record is
decoded here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.container import SYNC_BYTES, inflate, varint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.surveys.base import Header

MAX_BLOCK_BYTES = 268_435_456
"""Largest block after decompression; writers end a block after 16 kB to some MB, and it is held in memory."""
_RECORDS_PER_BYTE = 1100  # deflate packs no better, and a record takes a byte or more


@dataclass(frozen=True)
class Block:
    """Some records of a container.

    Parameters
    ----------
    count : int
        How many.
    packed : bytes
        Their Avro bodies, one after the other, compressed where the container is.
    """

    count: int
    packed: bytes

    def bodies(self, header: Header) -> bytes:
        """Return the records' bodies; raises ``CorruptData`` with code ``codec``, ``truncated`` or ``too_large``."""
        return inflate(self.packed, MAX_BLOCK_BYTES) if header.compressed else self.packed


def blocks(file: BinaryIO, header: Header) -> Iterator[Block]:
    """Yield the blocks of a container, none where it ends after its header.

    Parameters
    ----------
    file : binary file
        The whole container, seekable.
    header : Header
        What it begins with.

    Raises
    ------
    CorruptData
        ``truncated``, ``sync_marker`` or ``not_a_container`` where a block is not whole; where the next one begins
        cannot be known then.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(len(header.raw))
    sync = file.read(SYNC_BYTES)
    if len(sync) < SYNC_BYTES:
        raise CorruptData("truncated", f"message: a sync marker must follow its metadata; got {len(sync)} of 16 bytes")
    while file.tell() < end:
        yield _block(file, end, sync)


def _block(file: BinaryIO, end: int, sync: bytes) -> Block:
    count, size = varint(file), varint(file)
    left = end - file.tell()
    if not 0 <= size <= left - SYNC_BYTES:
        raise CorruptData(
            "truncated", f"message: a block of {size} bytes and its marker must fit; {left} bytes are left"
        )
    packed = file.read(size)
    if file.read(SYNC_BYTES) != sync:
        raise CorruptData("sync_marker", "message: a block must end with the container's sync marker; it does not")
    if not 0 < count <= _RECORDS_PER_BYTE * size:
        raise CorruptData("truncated", f"message: {size} bytes must hold the {count} records the block says it has")
    return Block(count, packed)
