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
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from fink_dagster.catalogues.index import Index, cells_of
from fink_dagster.catalogues.known import catalogues, get_catalogue
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


def find(name: str, folder: Path) -> Path | None:
    """Return a catalogue's file in the folder, or None.

    Raises
    ------
    UserError
        When there are two.
    """
    found = [folder / f"{name}{suffix}" for suffix in SUFFIXES if (folder / f"{name}{suffix}").is_file()]
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
        When the file cannot be that catalogue.
    OperationError
        When the index cannot be written.
    """
    catalogue = get_catalogue(name)
    path = find(name, folder)
    if path is None:
        return None
    index = indexes / f"{name}-{_key(catalogue, path)}.arrow"
    try:
        opened = open_index(index)
    except (OSError, pa.ArrowException):
        # Not made yet, or damaged, as by a loss of power.
        _make(catalogue, path, index)
        opened = open_index(index)
    return Registered(name, path, index, len(opened), opened.columns.schema.metadata[_SHA256].decode()[:8])


def register_all(folder: Path, indexes: Path) -> dict[str, Registered]:
    """Register every catalogue that is in the folder, by name.

    Raises
    ------
    UserError, OperationError
        As :func:`register`.
    """
    found = {catalogue.name: register(catalogue.name, folder, indexes) for catalogue in catalogues()}
    return {name: registered for name, registered in found.items() if registered is not None}


def _make(catalogue: Catalogue, path: Path, index: Path) -> None:
    table = _sorted(catalogue, read(catalogue, path)).replace_schema_metadata({_SHA256: _sha256(path)})
    try:
        _write(table, index)
    except OSError as error:
        message = f"catalogues: {index.parent} must take an index; got {error.strerror}; set FINK_CACHE to another"
        raise OperationError(message) from None


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
        with partial.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=table.num_rows)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    # Of the same file only: another checkout's run may be using the index of another.
    same_file = path.stem.rpartition("-")[0]
    made = sorted(path.parent.glob(f"{same_file}-*.arrow"), key=lambda other: other.stat().st_mtime_ns)
    for old in made[:-_KEPT]:
        old.unlink(missing_ok=True)
