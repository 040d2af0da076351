"""Answers from the archive: printed as a table, CSV or JSON, and written to files.

Every format keeps 64-bit identifiers, nulls and all digits of a number. What is asked is said in ``objects``.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fink_dagster.errors import OperationError, UserError
from fink_dagster.hbase.meanings import unit_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from astropy.table import Table as AstropyTable

    Meanings = Mapping[str, str]

_NUMPY_TYPES = {"Int32": "int32", "Int64": "int64", "Float32": "float32", "Float64": "float64", "boolean": "bool"}
_WIDE = 1000
"""Columns of a pipe, where lines do not end at the screen's edge."""


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def must_be_writable(file: Path, endings: Sequence[str], *, overwrite: bool) -> None:
    """Raise UserError unless a file of this name can be written: its ending, its folder, and nothing in its place."""
    if file.suffix.lower() not in endings:
        message = f"output {file.name!r}: must end in {', '.join(endings)}; got {file.suffix!r}; name it so"
        raise UserError(message)
    if not file.absolute().parent.is_dir():
        message = f"output {file.name!r}: must be in a folder that is there; {str(file.parent)!r} is not; make it first"
        raise UserError(message)
    if file.is_dir() or (file.exists() and not overwrite):
        message = f"output {file.name!r}: must not be there yet; it is; name another, or add --overwrite"
        raise UserError(message)


@contextmanager
def appearing(file: Path) -> Iterator[Path]:
    """Give a name to write to; what is there when the block ends well becomes the file, else there is none.

    Raises
    ------
    OperationError
        When the system does not let it be written.
    """
    part = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        yield part
        part.replace(file)
    except OSError as error:
        said = error.strerror or str(error)
        message = f"output {file.name!r}: must be writable; the system says {said!r}; check the folder"
        raise OperationError(message) from None
    finally:
        with suppress(OSError):
            part.unlink()


def write(frame: pd.DataFrame, file: Path, meanings: Meanings) -> None:
    """Write an answer in the format its ending names, one of ``WRITERS``; a VOTable says units and meanings.

    Raises
    ------
    OperationError
        When the system does not let it be written.
    """
    with appearing(file) as part:
        WRITERS[file.suffix.lower()](frame, part, meanings)


def show(frame: pd.DataFrame, form: Format, shown: Sequence[str] | None = None) -> None:
    """Print an answer.

    Parameters
    ----------
    frame : DataFrame
        The answer.
    form : Format
        How.
    shown : sequence of str, optional
        Columns of a table for the eye, those the answer has; CSV and JSON have all columns, and all digits.
    """
    if form is Format.CSV:
        typer.echo(frame.to_csv(index=False), nl=False)
    elif form is Format.JSON:
        names = list(frame.columns)
        rows = [dict(zip(names, map(_plain, row), strict=True)) for row in frame.itertuples(index=False, name=None)]
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print(frame if shown is None else frame[[name for name in shown if name in frame]])


def votable(frame: pd.DataFrame, meanings: Meanings) -> AstropyTable:
    """Return an answer as an astropy table with units and meanings; times become text (ISO 8601, UTC)."""
    from astropy.table import Table as AstropyTable

    made = AstropyTable()
    for name in frame.columns:
        meaning = meanings.get(name, "")
        made[name] = _masked(frame[name])
        made[name].description = meaning.partition(" [")[0] if unit_in(meaning) else meaning
        made[name].unit = _unit(meaning)
    return made


def _masked(column: pd.Series) -> Any:
    from astropy.table import MaskedColumn

    is_null = column.isna().to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.map(lambda moment: moment.isoformat(), na_action="ignore").astype("string")
    if pd.api.types.is_string_dtype(column.dtype):
        return MaskedColumn(column.fillna("").to_numpy(dtype=str), mask=is_null)
    values = column.to_numpy(dtype=_NUMPY_TYPES[str(column.dtype)], na_value=0)
    return MaskedColumn(values, mask=is_null)


def _unit(meaning: str) -> Any:
    from astropy.units import Unit, UnrecognizedUnit

    unit = Unit(unit_in(meaning), format="vounit", parse_strict="silent")
    return None if isinstance(unit, UnrecognizedUnit) or not unit.to_string() else unit


def _to_votable(frame: pd.DataFrame, file: Path, meanings: Meanings) -> None:
    votable(frame, meanings).write(file, format="votable", overwrite=True)


WRITERS: dict[str, Callable[[pd.DataFrame, Path, Meanings], None]] = {
    ".csv": lambda frame, file, _: frame.to_csv(file, index=False),
    ".parquet": lambda frame, file, _: frame.to_parquet(file, index=False),
    ".vot": _to_votable,
    ".xml": _to_votable,
}
"""How a frame is written, by the ending of the file."""


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _print(frame: pd.DataFrame) -> None:
    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        is_number = pd.api.types.is_numeric_dtype(frame[name].dtype)
        # Names and numbers are copied from here, so none may be cut.
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    short = {name for name in frame.columns if str(frame[name].dtype) == "Float32"}
    for row in frame.itertuples(index=False, name=None):
        cells = zip(frame.columns, row, strict=True)
        table.add_row(*(_text(value, ".5g" if name in short else "") for name, value in cells))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


def _text(value: Any, form: str) -> Text:
    # As text, for what stands in brackets is a style to whoever prints a string.
    return Text("" if pd.isna(value) else format(value, form))
