"""The checkpoint of one stage and night: its identity, and how far it has got.

Spark owns the folder; one file of ours in it lives and dies with it and gives it a name. Reading Spark's own files is
limited to the newest committed offsets.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_IDENTITY = "fink.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder.

    Attributes
    ----------
    path : Path
        The folder Spark is given.
    identity : str
        What every append made from it carries.
    starts_over : bool
        True when it was made although its stage had written for the night before.
    """

    path: Path
    identity: str
    starts_over: bool

    @classmethod
    def open(cls, path: Path, has_rows: Callable[[], bool]) -> Checkpoint:
        """Open a checkpoint, or make a new one.

        Parameters
        ----------
        path : Path
            Its folder.
        has_rows : callable
            Asked once, for a new one: has the stage written for the night before?

        Raises
        ------
        OperationError
            When the folder has lost a part: offsets without the query's own identity would be read by a new query.
        """
        if _numbers(path / "offsets") and not (path / "metadata").exists():
            message = (
                f"checkpoint {path.name}: must have its file 'metadata'; it is gone; restore it or remove the folder"
            )
            raise OperationError(message)
        try:
            known = json.loads((path / _IDENTITY).read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = _make(path, starts_over=has_rows())
        return cls(path, known["id"], known["starts_over"])

    def committed(self) -> dict[str, dict[int, int]]:
        """Return topic -> partition -> end offset of the newest batch that is done; empty when none is."""
        done = [number for number in _numbers(self.path / "commits") if (self.path / "offsets" / str(number)).exists()]
        if not done:
            return {}
        lines = (self.path / "offsets" / str(max(done))).read_text(encoding="utf-8").splitlines()
        offsets = json.loads(lines[2])
        return {topic: {int(partition): end for partition, end in ends.items()} for topic, ends in offsets.items()}


def _make(path: Path, *, starts_over: bool) -> dict[str, str | bool]:
    path.mkdir(parents=True, exist_ok=True)
    known: dict[str, str | bool] = {"id": uuid.uuid4().hex, "starts_over": starts_over}
    unfinished = path / f"{_IDENTITY}.new"
    unfinished.write_text(json.dumps(known), encoding="utf-8")
    unfinished.rename(path / _IDENTITY)
    return known


def _numbers(folder: Path) -> list[int]:
    return [int(file.name) for file in folder.glob("*") if file.name.isdigit()]
