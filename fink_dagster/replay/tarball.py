"""The archive's own form: a gzip-compressed, flat tar of ``<digits>.avro``, one packet a file, read as a stream.

A tarball is believed only when it is whole: every name a packet's, gzip's checksum right, and nothing after the last
packet. Nothing is ever unpacked to disk, and no name in it is used as a path.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from fink_dagster.errors import UserError
from fink_dagster.replay.packet import MAX_PACKET_BYTES, Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PACKET_NAME = re.compile(r"[0-9]{1,30}\.avro")
_CHUNK_BYTES = 1_048_576
_PLACEHOLDER_BYTES = 200  # a quarter of the nights in ZTF's archive are files of 44 to 74 bytes that hold nothing
_DAMAGE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def check(path: Path, name: str, report: Callable[[int], None]) -> tuple[str, int]:
    """Read a tarball to its end and return its sha-256 and the number of its packets.

    Parameters
    ----------
    path : Path
        The tarball.
    name : str
        What messages call it.
    report : callable
        Called with the number of compressed bytes each step has read.

    Raises
    ------
    UserError
        When it is a placeholder, not whole, or holds anything but packets.
    """
    size = path.stat().st_size
    digest = hashlib.sha256()

    def seen(data: bytes) -> None:
        digest.update(data)
        report(len(data))

    with path.open("rb") as file:
        raw = _Watched(file, seen)
        total = sum(1 for _ in _walk(raw, name, size, keep=False))
        while raw.read(_CHUNK_BYTES):
            pass
    return digest.hexdigest(), total


def packets(path: Path, name: str, report: Callable[[int], None] = lambda _: None) -> Iterator[Packet]:
    """Yield the packets of a tarball in its order.

    Parameters
    ----------
    path : Path
        The tarball.
    name : str
        What messages call it.
    report : callable
        Called with the number of compressed bytes each step has read.

    Raises
    ------
    UserError
        As :func:`check`, where the file has changed since.
    """
    with path.open("rb") as file:
        raw = _Watched(file, lambda data: report(len(data)))
        yield from _walk(raw, name, path.stat().st_size, keep=True)


class _Watched:
    """A file that shows each piece it reads to somebody."""

    def __init__(self, file: _Readable, seen: Callable[[bytes], None]) -> None:
        self._file = file
        self._seen = seen

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._seen(data)
        return data


class _End:
    """Where the last byte other than zero was: a tar ends in zeros, and tarfile stops in silence at a bad header."""

    def __init__(self) -> None:
        self.position = 0
        self.content = 0

    def seen(self, data: bytes) -> None:
        used = len(data.rstrip(b"\0"))
        if used:
            self.content = self.position + used
        self.position += len(data)


def _walk(raw: _Readable, name: str, size: int, *, keep: bool) -> Iterator[Packet]:
    """Yield packets, with their bytes when they are to be kept, and check what follows the last one."""
    total, end = 0, _End()
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", raw)) as plain:
            stream = _Watched(plain, end.seen)
            with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|") as tar:
                while (member := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it remembers a night's million members
                    _must_be_packet(member, name)
                    yield Packet(total, member.name, _content(tar, member) if keep else b"")
                    total += 1
            while stream.read(_CHUNK_BYTES):
                pass
            whole = end.content <= tar.offset
    except _DAMAGE as error:
        raise _refused(name, size, str(error) or type(error).__name__) from None
    if not whole:
        raise _refused(name, size, f"something unreadable after packet {total}")
    if total == 0:
        raise _refused(name, size, "none")


def _must_be_packet(member: tarfile.TarInfo, name: str) -> None:
    if not member.isreg() or not _PACKET_NAME.fullmatch(member.name):
        wanted = "must hold only files named <digits>.avro, without folders"
        message = f"source {name!r}: {wanted}; got {member.name[:60]!r}; take the archive's own tarball"
        raise UserError(message)
    if not 0 <= member.size <= MAX_PACKET_BYTES:
        wanted = f"packet {member.name} must have at most {MAX_PACKET_BYTES} bytes"
        message = f"source {name!r}: {wanted}; got {member.size}; it is no alert"
        raise UserError(message)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _refused(name: str, size: int, got: str) -> UserError:
    if size < _PLACEHOLDER_BYTES:
        got = f"a placeholder of {size} bytes"
        return UserError(f"source {name!r}: must hold packets; got {got}; the archive has none, take another night")
    return UserError(f"source {name!r}: must be a whole .tar.gz of packets; got {got}; download it again")
