"""Where enriched alerts go: the names of three files, and whether they may be written.

What is in them is said in ``outputs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.enrich.sources import Source

ENRICHED, REJECTED, QUARANTINED = "enriched", "rejected", "quarantined"


@dataclass(frozen=True)
class Target:
    """Where the three tables go.

    Parameters
    ----------
    enriched, rejected, quarantined : Path
        Parquet files in one folder.
    """

    enriched: Path
    rejected: Path
    quarantined: Path

    @property
    def files(self) -> dict[str, Path]:
        """The files by what they hold."""
        return {QUARANTINED: self.quarantined, REJECTED: self.rejected, ENRICHED: self.enriched}


def target_of(path: Path, source: Source, *, overwrite: bool = False) -> Target:
    """Return where to write.

    Parameters
    ----------
    path : Path
        A ``.parquet`` file, beside which ``<stem>.rejected.parquet`` and ``<stem>.quarantined.parquet`` will be; any
        other name is a folder.
    source : Source
        What is read; it is never written to.
    overwrite : bool
        Whether files that are there may be replaced.

    Raises
    ------
    UserError
        When it is the source, or something is there that may not be replaced.
    """
    if path.suffix == ".parquet":
        target = Target(path, *(path.with_suffix(f".{what}.parquet") for what in (REJECTED, QUARANTINED)))
    else:
        target = Target(*(path / f"{what}.parquet" for what in (ENRICHED, REJECTED, QUARANTINED)))
    if source.path.resolve() in {
        above for file in target.files.values() for above in (file.resolve(), *file.resolve().parents)
    }:
        message = f"output {path.name!r}: must be outside of what is read; got {source.name!r} itself; name another"
        raise UserError(message)
    folder = target.enriched.parent
    if folder.exists() and not folder.is_dir():
        message = f"output {path.name!r}: must be a .parquet file or a folder; got another file; name it otherwise"
        raise UserError(message)
    if not (folder.exists() or folder.absolute().parent.is_dir()):
        message = f"output {path.name!r}: must be in a folder that is there; {str(folder)!r} is not; make it first"
        raise UserError(message)
    there = [file.name for file in target.files.values() if file.is_dir() or (file.exists() and not overwrite)]
    if there:
        message = (
            f"output {path.name!r}: must not be there yet; got {', '.join(there)}; name another, or add --overwrite"
        )
        raise UserError(message)
    return target
