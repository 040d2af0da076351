"""What can be enriched: a survey's tarball, Avro files, or Parquet files with the alert's columns.

A source is looked at before anything is written; its alerts are read in ``reading``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from fink_dagster.errors import OperationError, UserError
from fink_dagster.science.frame import has_field

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.surveys.base import Survey

TARBALL, AVRO, PARQUET = "tarball", "avro", "parquet"
_TARBALL_ENDINGS = (".tar.gz", ".tgz")
_ENDINGS = {".avro": AVRO, ".parquet": PARQUET}
_TEXT_CHARACTERS = 200


@dataclass(frozen=True)
class Source:
    """Alerts of a survey on disk.

    Parameters
    ----------
    path : Path
        What was named.
    kind : {"tarball", "avro", "parquet"}
        How it is read.
    files : tuple of Path
        In the order they are read.
    survey : Survey
        Whose alerts.
    """

    path: Path
    kind: str
    files: tuple[Path, ...]
    survey: Survey

    @property
    def name(self) -> str:
        """Its name without the folders above."""
        return self.path.absolute().name

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in self.files)

    def named(self, file: Path) -> str:
        """Return what a file is called in messages."""
        return str(file.relative_to(self.path)) if file != self.path else file.name


def open_source(path: Path, survey: Survey) -> Source:
    """Look at a source without reading its alerts.

    Raises
    ------
    UserError
        When it is none, an empty folder, or a Parquet file that lacks what every alert of the survey has.
    OperationError
        When it cannot be read.
    """
    try:
        source = _folder(path, survey) if path.is_dir() else _file(path, survey)
        if source.kind == PARQUET:
            for file in source.files:
                _must_hold_alerts(source, file)
    except OSError as error:
        raise unreadable(path.name, error) from None
    return source


def _folder(path: Path, survey: Survey) -> Source:
    by_kind: dict[str, list[Path]] = {AVRO: [], PARQUET: []}
    for file in sorted(path.rglob("*")):
        if file.suffix in _ENDINGS and not file.name.startswith((".", "_")) and file.is_file():
            by_kind[_ENDINGS[file.suffix]].append(file)
    there = [kind for kind, files in by_kind.items() if files]
    if len(there) != 1:
        got = "both" if there else "none"
        message = (
            f"source {path.absolute().name!r}: the folder must hold .avro files or .parquet files; got {got}; "
            "name a folder with alerts of one kind"
        )
        raise UserError(message)
    return Source(path, there[0], tuple(by_kind[there[0]]), survey)


def _file(path: Path, survey: Survey) -> Source:
    if not path.is_file():
        message = f"source {path.name!r}: must be a tarball, a folder or a file; got nothing; check the path"
        raise UserError(message)
    kind = TARBALL if path.name.endswith(_TARBALL_ENDINGS) else _ENDINGS.get(path.suffix)
    if kind is None:
        message = (
            f"source {path.name!r}: must be a .tar.gz, .avro or .parquet file, or a folder of them; got another kind; "
            "check the path"
        )
        raise UserError(message)
    return Source(path, kind, (path,), survey)


def _must_hold_alerts(source: Source, file: Path) -> None:
    name = source.named(file)
    try:
        columns = pa.struct(list(pq.read_schema(file)))
    except pa.ArrowException as error:
        raise not_parquet(name, error) from None
    missing = [path for path in source.survey.required if not has_field(columns, path)]
    if missing:
        message = (
            f"source {name!r}: must hold alerts of {source.survey.name}; got no {', '.join(missing)}; "
            "name a file with the fields of the survey's packets"
        )
        raise UserError(message)


def not_parquet(name: str, error: pa.ArrowException) -> UserError:
    """Return what to raise where a file is no Parquet, or is not whole."""
    got = str(error).splitlines()[0][:_TEXT_CHARACTERS] if str(error) else type(error).__name__
    return UserError(f"source {name!r}: must be whole Parquet; got {got!r}; write it again")


def unreadable(name: str, error: OSError) -> OperationError:
    """Return what to raise where the system does not let a source be read."""
    said = error.strerror or str(error)[:_TEXT_CHARACTERS]
    return OperationError(f"source {name!r}: must be readable; the system says {said!r}; check its owner")
