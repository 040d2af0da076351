"""What can be replayed: a tarball of the survey's archive, a folder of packets, or one packet.

Every source is read twice, packet by packet: once when it is opened, to refuse what cannot be replayed before anything
is sent and to know its sha-256, and once to be sent. Never whole in memory: a night's tarball can have 73 GB.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fink_dagster.errors import OperationError, UserError
from fink_dagster.replay import tarball
from fink_dagster.replay.packet import MAX_PACKET_BYTES, Packet

_TARBALL_ENDINGS = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class Source:
    """Packets in a fixed order.

    Parameters
    ----------
    name : str
        Name of the tarball, folder or file, without the folders above.
    sha256 : str
        Of a tarball's or a file's bytes; for a folder of the lines ``<name> <sha256>`` of its packets in order.
    total : int
        How many packets it holds.
    read : callable
        Starts reading from the first packet.
    """

    name: str
    sha256: str
    total: int
    read: Callable[[], Iterator[Packet]]

    def packets(self) -> Iterator[Packet]:
        """Yield every packet in order, positions from 0.

        Raises
        ------
        OperationError
            When the source cannot be read any more.
        """
        try:
            yield from self.read()
        except OSError as error:
            raise _unreadable(self.name, error) from None


def open_source(path: Path, report: Callable[[int], None] = lambda _: None) -> Source:
    """Check a source to its end, sending nothing, and return it.

    Parameters
    ----------
    path : Path
        A ``.tar.gz`` with files ``<digits>.avro``, a folder with ``.avro`` files, or one of these.
    report : callable
        Called with the number of bytes each step has read.

    Raises
    ------
    UserError
        When it is none of these, damaged as an archive, empty, or holds names that are no packet's.
    OperationError
        When it cannot be read.
    """
    name = Path(os.path.abspath(path)).name
    try:
        if path.is_dir():
            return _folder(path, name, report)
        if not path.is_file():
            message = f"source {name!r}: must be a tarball, a folder or a file; got nothing; check the path"
            raise UserError(message)
        if name.endswith(_TARBALL_ENDINGS):
            sha256, total = tarball.check(path, name, report)
            return Source(name, sha256, total, lambda: tarball.packets(path, name))
        return _file(path, name, report)
    except OSError as error:
        raise _unreadable(name, error) from None


def source_bytes(path: Path) -> int:
    """Return how many bytes :func:`open_source` will report; 0 where there is nothing to read."""
    try:
        files = _avro_files(path) if path.is_dir() else [path]
        return sum(file.stat().st_size for file in files)
    except OSError:
        return 0


def _folder(path: Path, name: str, report: Callable[[int], None]) -> Source:
    files = _avro_files(path)
    if not files:
        message = f"source {name!r}: the folder must hold .avro files; got none; name a folder of packets or a tarball"
        raise UserError(message)
    lines = [f"{os.fsdecode(file.name)} {_checked(file, report)}\n" for file in files]
    sha256 = hashlib.sha256(os.fsencode("".join(lines))).hexdigest()
    return Source(name, sha256, len(files), lambda: _from_files(files))


def _file(path: Path, name: str, report: Callable[[int], None]) -> Source:
    if path.suffix != ".avro":
        message = f"source {name!r}: must be a .tar.gz, a folder or an .avro file; got another kind; check the path"
        raise UserError(message)
    return Source(name, _checked(path, report), 1, lambda: _from_files([path]))


def _avro_files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.suffix == ".avro" and file.is_file())


def _checked(file: Path, report: Callable[[int], None]) -> str:
    size = file.stat().st_size
    if size > MAX_PACKET_BYTES:
        message = f"packet {file.name!r}: must have at most {MAX_PACKET_BYTES} bytes; got {size}; it is no alert"
        raise UserError(message)
    report(size)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _from_files(files: list[Path]) -> Iterator[Packet]:
    return (Packet(position, file.name, file.read_bytes()) for position, file in enumerate(files))


def _unreadable(name: str, error: OSError) -> OperationError:
    return OperationError(f"source {name!r}: must be readable; the system says {error.strerror!r}; check its owner")
