"""A catalogue's file as an Arrow table of exactly the declared columns, or one sentence why it cannot be one.

Parquet, CSV, FITS tables and VOTables. What is done with the table is ``registration``'s.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from fink_dagster.catalogues.catalogue import DEGREE
from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.catalogues.catalogue import Catalogue, Column

SUFFIXES = (".parquet", ".csv", ".fits", ".vot", ".xml")
_ARROW_TYPES = {"string": pa.string(), "int": pa.int64(), "double": pa.float64()}
_MANY_COLUMNS = 8  # of a file's columns a message names, at most
# Angles a right ascension may be in where a file states no unit, the full circle, and the declination of a pole in the
# unit that goes with them. Values that fill most of that sky and leave it nowhere are taken for them: as degrees, they
# would be one odd patch beside the origin.
_OTHER_ANGLES = (("hours", 24.0, 90.0), ("radians", 2 * np.pi, np.pi / 2))
_MOST = 0.75


class _Refused(Exception):
    """Why a file cannot be taken: what must be, and what is."""


def read(catalogue: Catalogue, path: Path) -> pa.Table:
    """Read a catalogue's file: columns as declared, texts without blanks around them, rows without a position left out.

    An empty text, one that stands for nothing, and a NaN become null.

    Raises
    ------
    UserError
        When the file is truncated or no table, lacks a column, states another unit, or has positions that are not
        degrees.
    """
    try:
        units, table = _opened(catalogue, path)
        columns = {column.name: _column(table, column, units) for column in catalogue.all_columns}
        ra, dec = columns[catalogue.ra.name], columns[catalogue.dec.name]
        _must_be_degrees(ra, dec, stated=bool(units.get(catalogue.ra.name)))
        read = pa.table(columns).filter(pc.and_(pc.is_valid(ra), pc.is_valid(dec)))
        if read.num_rows == 0:
            raise _Refused("must have sources with a position; got none")
    except _Refused as refusal:
        way_out = "correct it, or take it out of the folder"
        message = f"catalogue {catalogue.name} ({path.name}): {refusal}; {way_out}"
        raise UserError(message) from None
    return read


def _opened(catalogue: Catalogue, path: Path) -> tuple[dict[str, str], pa.Table]:
    """Return what is stated of units, by our names, and a table with our names; only declared columns are read."""
    kind = path.suffix
    try:
        if kind == ".parquet":
            return _from_parquet(catalogue, path)
        if kind == ".csv":
            return {}, _from_csv(catalogue, path)
        if kind == ".fits":
            return _from_astropy(catalogue, path, {"format": "fits"})
        return _from_astropy(catalogue, path, {"format": "votable", "use_names_over_ids": True})
    except (_Refused, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a reader of somebody's format raises on damaged bytes
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].partition(". ")[0][:120].rstrip(".;")
        raise _Refused(f"must be a whole {kind[1:]} table; got one that cannot be read: {said}") from None


def _from_parquet(catalogue: Catalogue, path: Path) -> tuple[dict[str, str], pa.Table]:
    with pq.ParquetFile(path) as file:
        names = _named(catalogue, file.schema_arrow.names)
        stated = {ours: file.schema_arrow.field(theirs).metadata or {} for ours, theirs in names.items()}
        table = file.read(columns=list(names.values()))
    units = {ours: (said.get(b"unit") or b"").decode() for ours, said in stated.items()}
    return units, _renamed(table, names)


def _from_csv(catalogue: Catalogue, path: Path) -> pa.Table:
    with path.open("rb") as file:
        header = file.readline()
        file.seek(max(path.stat().st_size - 1, 0))
        if file.read(1) != b"\n":
            raise _Refused("must end with a whole line; got the beginning of one")
    table_names = [name.strip().strip('"').strip() for name in header.decode("utf-8-sig").strip().split(",")]
    names = _named(catalogue, table_names)
    # A name of digits is still a name.
    texts = {names[column.name]: pa.string() for column in catalogue.columns if column.type == "string"}
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=table_names, skip_rows=1),
        convert_options=pyarrow.csv.ConvertOptions(include_columns=list(names.values()), column_types=texts),
    )
    return _renamed(table, names)


def _from_astropy(catalogue: Catalogue, path: Path, how: dict[str, Any]) -> tuple[dict[str, str], pa.Table]:
    from astropy.table import Table

    with warnings.catch_warnings():
        # A reader only warns of a file that ends too early, and of much that is of no matter here.
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*truncated.*")
        found = Table.read(path, **how)
    names = _named(catalogue, found.colnames)
    units = {ours: str(found[theirs].unit or "") for ours, theirs in names.items()}
    return units, pa.table({ours: _from_numpy(np.ma.asarray(found[theirs])) for ours, theirs in names.items()})


def _from_numpy(values: np.ma.MaskedArray) -> pa.Array:
    data = np.asarray(values.data)
    if data.ndim != 1:
        raise _Refused("must have one value in a cell; got arrays")
    if data.dtype.kind == "S":
        data = np.char.decode(data, "utf-8")
    native = data if data.dtype.kind in "OU" else data.astype(data.dtype.newbyteorder("="))
    return pa.array(native.astype(object) if native.dtype.kind == "U" else native, mask=np.ma.getmaskarray(values))


def _named(catalogue: Catalogue, found: list[str]) -> dict[str, str]:
    """Return for each of our columns the file's name of it."""
    by_name = {name.lower(): name for name in reversed(found)}
    names = {}
    for column in catalogue.all_columns:
        theirs = [by_name[name.lower()] for name in column.names if name.lower() in by_name]
        if not theirs:
            more = ", ..." if len(found) > _MANY_COLUMNS else ""
            got = ", ".join(name[:30] for name in found[:_MANY_COLUMNS]) + more
            raise _Refused(f"must have a column {' or '.join(column.names)}; got {got}")
        names[column.name] = theirs[0]
    return names


def _renamed(table: pa.Table, names: dict[str, str]) -> pa.Table:
    return pa.table({ours: table.column(theirs) for ours, theirs in names.items()})


def _column(table: pa.Table, column: Column, units: dict[str, str]) -> pa.ChunkedArray:
    stated = units.get(column.name, "")
    if stated and not _same(stated, column.unit):
        raise _Refused(f"column {column.name} must be in {column.unit or 'no unit'}; got {stated}")
    values = table.column(column.name)
    try:
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_floating(values.type):
            values = _without(values, pc.is_nan(values))
        values = values.cast(_ARROW_TYPES[column.type])
    except pa.ArrowException as error:
        said = str(error).splitlines()[0][:100]
        raise _Refused(f"column {column.name} must be {_article(column)}; got another: {said}") from None
    if column.type == "string":
        values = pc.utf8_trim_whitespace(values)
        return _without(values, pc.is_in(values, pa.array(["", column.missing])))
    return values


def _without(values: pa.ChunkedArray, unwanted: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(unwanted, pa.scalar(None, values.type), values)


def _article(column: Column) -> str:
    named = {"string": "a text", "int": "a whole number", "double": "a number"}[column.type]
    return f"{named} [{column.unit}]" if column.unit else named


def _same(stated: str, wanted: str) -> bool:
    from astropy.units import Unit

    try:
        return bool(Unit(stated) == Unit(wanted))
    except (TypeError, ValueError):
        return False


def _must_be_degrees(ra: pa.ChunkedArray, dec: pa.ChunkedArray, *, stated: bool) -> None:
    low_ra, high_ra = _range(ra)
    low_dec, high_dec = _range(dec)
    if low_ra < -180.0 or high_ra > 360.0 or low_dec < -90.0 or high_dec > 90.0:
        got = f"ra from {low_ra:g} to {high_ra:g}, dec from {low_dec:g} to {high_dec:g}"
        raise _Refused(f"positions must be degrees; got {got}")
    for unit, full_circle, pole in _OTHER_ANGLES:
        whole_sky = high_ra - low_ra > _MOST * full_circle and high_dec - low_dec > pole
        if not stated and whole_sky and low_ra >= 0 and high_ra <= full_circle and max(-low_dec, high_dec) <= pole:
            raise _Refused(f"column ra must be in {DEGREE}; got nothing above {high_ra:g}, as {unit} would be")


def _range(values: pa.ChunkedArray) -> tuple[float, float]:
    found = pc.min_max(values).as_py()
    if found["min"] is None:
        raise _Refused("must have sources with a position; got none")
    return float(found["min"]), float(found["max"])
