"""A catalogue's file in the folder, its index beside the cache, and who opens it in a worker.

Registering happens once, before anything runs: the file is read, checked and written again as an index, a sorted Arrow
file, which every worker process maps into memory instead of holding a copy. A file that is replaced later counts from
the next registration on; whoever runs keeps the index it began with.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fink_dagster.catalogues.index import Index, cells_of
from fink_dagster.catalogues.known import get_catalogue
from fink_dagster.catalogues.reading import SUFFIXES, read
from fink_dagster.errors import OperationError, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.catalogues.catalogue import Catalogue

_FORMAT = 1  # of the index; another number makes all anew
_CELL, _SHA256 = "_cell", b"sha256"
_KEPT = 2  # indexes of a catalogue: the present one, and the one a run may have begun with


@dataclass(frozen=True)
class Registered:
    """A catalogue that is there and sound.

    Parameters
    ----------
    name : str
        Name of the catalogue.
    file : Path
        What the user put there.
    index : Path
        What workers open.
    rows : int
        Sources with a position.
    fingerprint : str
        Eight characters that change with the file's bytes.
    """

    name: str
    file: Path
    index: Path
    rows: int
    fingerprint: str


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that could be catalogues, whatever they are called; none when it is no folder.

    Raises
    ------
    OperationError
        When the system does not let it be looked into.
    """
    try:
        found = list(folder.iterdir()) if folder.is_dir() else []
        return sorted(file for file in found if file.suffix in SUFFIXES and file.is_file())
    except OSError as error:
        message = f"catalogues: {folder} must be readable; got {_said(error)}; mend its rights, or set FINK_CATALOGUES"
        raise OperationError(message) from None


def find(name: str, folder: Path) -> Path | None:
    """Return a catalogue's file in the folder, or None.

    Raises
    ------
    UserError
        When there are two.
    OperationError
        As :func:`files_in`.
    """
    there = files_in(folder)
    found = [file for suffix in SUFFIXES if (file := folder / f"{name}{suffix}") in there]
    if len(found) > 1:
        message = f"catalogue {name}: must be one file; got {found[0].name} and {found[1].name}; remove one"
        raise UserError(message)
    return found[0] if found else None


def register(name: str, folder: Path, indexes: Path) -> Registered | None:
    """Check a catalogue's file and have its index; None when there is no file.

    Parameters
    ----------
    name : str
        Name of the catalogue.
    folder : Path
        Where the files are.
    indexes : Path
        Where indexes are kept; made when absent.

    Raises
    ------
    UserError
        When the file cannot be that catalogue, or cannot be read to its end.
    OperationError
        When the folder cannot be looked into, or the index not be kept.
    """
    catalogue = get_catalogue(name)
    path = find(name, folder)
    if path is None:
        return None
    try:
        index = indexes / f"{name}-{_key(catalogue, path)}.arrow"
        opened = _opened(catalogue, path, index)
    except (OSError, pa.ArrowException) as error:
        way_out = "correct it, or take it out of the folder"
        message = f"catalogue {name} ({path.name}): must be a file one can index; got {_said(error)}; {way_out}"
        raise UserError(message) from None
    return Registered(name, path, index, len(opened), opened.columns.schema.metadata[_SHA256].decode()[:8])


def _opened(catalogue: Catalogue, path: Path, index: Path) -> Index:
    try:
        return open_index(index)
    except (OSError, pa.ArrowException):
        # Not made yet, or damaged, as by a failing disk.
        return _made(catalogue, path, index)


def _made(catalogue: Catalogue, path: Path, index: Path) -> Index:
    table = _sorted(catalogue, read(catalogue, path)).replace_schema_metadata({_SHA256: _sha256(path)})
    try:
        _write(table, index)
        return open_index(index)
    except (OSError, pa.ArrowException) as error:
        message = f"catalogues: {index.parent} must take an index; got {_said(error)}; set FINK_CACHE to another"
        raise OperationError(message) from None


def _said(error: OSError | pa.ArrowException) -> str:
    """Return what an error says in one line; of what the system says Arrow makes several, with paths."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error).partition("\n")[0]


@functools.cache
def open_index(path: Path) -> Index:
    """Map an index into memory, once per process."""
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    cells, ra, dec = (table.column(name).chunk(0).to_numpy(zero_copy_only=True) for name in (_CELL, "ra", "dec"))
    return Index(cells, ra, dec, table.drop_columns([_CELL, "ra", "dec"]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(catalogue: Catalogue, path: Path) -> str:
    """Return what changes with the file and with what is made of it, after what stands for its place."""
    stat = path.stat()
    columns = [asdict(column) for column in catalogue.all_columns]
    made_of = json.dumps([_FORMAT, columns, stat.st_size, stat.st_mtime_ns])
    place, content = (hashlib.sha256(text.encode()).hexdigest() for text in (str(path.absolute()), made_of))
    return f"{place[:8]}-{content[:16]}"


def _sorted(catalogue: Catalogue, table: pa.Table) -> pa.Table:
    ra, dec = (table.column(name).to_numpy() for name in (catalogue.ra.name, catalogue.dec.name))
    cells = cells_of(ra, dec)
    order = np.argsort(cells, kind="stable")  # of two sources at one place the first in the file comes first
    return table.take(order).append_column(_CELL, pa.array(cells[order])).combine_chunks()


def _write(table: pa.Table, path: Path) -> None:
    """Write an index whole or not at all; processes that make it at once write the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table, max_chunksize=table.num_rows)
            file.flush()
            os.fsync(file.fileno())  # else a loss of power can leave the name without the bytes
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _forget_older(path)


def _forget_older(index: Path) -> None:
    """Remove what was made of former states of the file, and of no other: another run may be using that."""
    same_file = index.stem.rpartition("-")[0]
    with suppress(FileNotFoundError):  # another process is at it
        made = sorted(index.parent.glob(f"{same_file}-*.arrow"), key=lambda other: other.stat().st_mtime_ns)
        for old in made[:-_KEPT]:
            old.unlink()
