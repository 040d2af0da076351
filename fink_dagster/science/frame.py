"""The columns science modules read, out of alerts held in memory: decoded packets, or rows of an Arrow table.

Both become one record batch, and dotted paths are taken out of it by Arrow, so a number is the same wherever its alert
came from, and an identifier of 18 digits never passes through a float. What the columns are for is said by the modules;
files are not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fink_dagster.errors import UserError
from fink_dagster.surveys.avro import fields_of, not_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fink_dagster.science.module import Output

_ARROW = {  # by the names Avro and Spark have for them
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_NULLABLE: dict[pa.DataType, Any] = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def alert_type(schema: Any, paths: Iterable[str]) -> pa.StructType:
    """Return the Arrow type of an alert with nothing but the fields on some dotted paths.

    Parameters
    ----------
    schema : dict
        Avro schema as :func:`~fink_dagster.surveys.avro.by_place` returns it, which has these paths.
    paths : iterable of str
        Fields wanted; one that is a record is taken whole.
    """
    return _arrow(schema, [path.split(".") for path in paths])


def batch_of(alerts: Sequence[Mapping[str, Any]], kind: pa.StructType) -> pa.RecordBatch:
    """Return decoded alerts as rows; a field an alert does not have is null.

    Raises
    ------
    pyarrow.ArrowException, TypeError, ValueError, OverflowError
        When a value is not of its field's type.
    """
    return pa.RecordBatch.from_struct_array(pa.array(alerts, kind))


def frame_of(alerts: pa.RecordBatch, kind: pa.StructType, paths: Sequence[str]) -> pd.DataFrame:
    """Return one column per path, as science modules expect them.

    Parameters
    ----------
    alerts : RecordBatch
        One row per alert; structs, and lists of structs. Fields it does not have are null.
    kind : StructType
        What the values are to be, as :func:`alert_type` returns it.
    paths : sequence of str
        Dotted paths.

    Returns
    -------
    DataFrame
        A single number is float32 or float64 with NaN for null, an integer or a boolean nullable where there are nulls.
        A path through a list gives one array or None per alert: numbers as float64 with NaN for null, text and integers
        of 64 bits as objects. Bytes and text are objects.

    Raises
    ------
    UserError
        When a column of the batch cannot be what the alert's field is.
    """
    rows = alerts.to_struct_array() if alerts.num_columns else pa.nulls(alerts.num_rows, pa.struct([]))
    return pd.DataFrame({path: _column(rows, kind, path) for path in paths}, index=range(alerts.num_rows))


def series_of(values: pa.Array) -> pd.Series:
    """Return numbers, or lists of numbers, one per alert, as science modules expect them; see :func:`frame_of`."""
    if not _is_list(values.type):
        return _scalars(values)
    items, lengths = _flat(values)
    return _cells(_array(items), lengths)


def array_of(values: Any, kind: pa.DataType) -> pa.Array:
    """Return a column as modules give it in an Arrow type."""
    # pandas' own types know Arrow; what they keep as objects is handed over as such.
    plain = list(values) if pd.api.types.is_object_dtype(values) else values
    return pa.array(plain, kind)


def output_type(out: Output) -> pa.DataType:
    """Return the Arrow type of a module's output."""
    return pa.struct([(name, pa.float64()) for name in out.fields]) if out.fields else _ARROW[out.type]


def has_field(kind: pa.DataType, path: str) -> bool:
    """Tell whether a dotted path of fields, through lists too, leads somewhere in an Arrow type."""
    for name in path.split("."):
        kind = kind.value_type if _is_list(kind) else kind
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True


def _arrow(schema: Any, paths: list[list[str]]) -> pa.DataType:
    kind = not_null(schema)
    if isinstance(kind, str):
        return _ARROW[kind]
    if kind["type"] == "array":
        return pa.list_(_arrow(kind["items"], paths))
    inner: dict[str, list[list[str]]] = {}
    for path in paths:
        if path:
            inner.setdefault(path[0], []).append(path[1:])
    whole = [] in paths or not inner
    fields = [
        (name, _arrow(value, inner.get(name, []))) for name, value in fields_of(kind).items() if whole or name in inner
    ]
    return pa.struct(fields)


def _column(rows: pa.StructArray, kind: pa.DataType, path: str) -> pd.Series:
    values, lengths, leaf, in_list = _walked(rows, kind, path.split("."))
    if in_list and pa.types.is_null(values.type) and lengths is None:
        return pd.Series([None] * len(rows), dtype=object)
    if in_list != (lengths is not None):
        raise _other_type(path, "in a list" if in_list else "in no list", values.type)
    typed = _cast(values, leaf, path)
    return _scalars(typed) if lengths is None else _cells(_array(typed), lengths)


def _walked(
    values: pa.Array, kind: pa.DataType, names: list[str]
) -> tuple[pa.Array, pa.Array | None, pa.DataType, bool]:
    """Follow a path down values and their declared type at once; of lists on the way, one at most, take the items.

    Returns
    -------
    values, lengths, kind, in_list
        What is there, how many of it each alert has when that was a list, what should be, and whether in a list.
    """
    lengths, in_list = None, False
    for name in [*names, ""]:
        if _is_list(kind):
            kind, in_list = kind.value_type, True
        if _is_list(values.type):
            values, lengths = _flat(values)
        if name:
            values, kind = _field(values, name), kind.field(name).type
    return values, lengths, kind, in_list


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _flat(lists: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the items of all lists, and how many each has; null for a null list."""
    plain = lists.cast(pa.list_(lists.type.value_type))
    return plain.flatten(), pc.list_value_length(plain)


def _field(values: pa.Array, name: str) -> pa.Array:
    """Return a field of structs, null where the struct is; of anything else, and of structs without it, nulls."""
    if not pa.types.is_struct(values.type) or values.type.get_field_index(name) < 0:
        return pa.nulls(len(values))
    return pc.struct_field(values, name)


def _cast(values: pa.Array, kind: pa.DataType, path: str) -> pa.Array:
    if pa.types.is_floating(values.type) and pa.types.is_integer(kind):
        if kind == pa.int64():
            # Too late: what was an identifier of 18 digits has been rounded.
            raise _other_type(path, kind, values.type)
        values = pc.if_else(pc.is_nan(values), None, values)
    try:
        return values.cast(kind)
    except pa.ArrowException:
        raise _other_type(path, kind, values.type) from None


def _other_type(path: str, wanted: object, got: object) -> UserError:
    return UserError(f"column {path!r}: must be {wanted}, as in the survey's alerts; got {got}; convert it before")


def _scalars(values: pa.Array) -> pd.Series:
    if pa.types.is_floating(values.type):
        return pd.Series(values.to_numpy(zero_copy_only=False))
    if values.type not in _NULLABLE:
        return pd.Series(values.to_pylist(), dtype=object)
    if values.null_count:
        return pd.Series(_NULLABLE[values.type].__from_arrow__(values))
    return pd.Series(values.to_numpy(zero_copy_only=False))


def _array(values: pa.Array) -> np.ndarray:
    if pa.types.is_floating(values.type) or values.type == pa.int32():
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    objects = np.empty(len(values), dtype=object)
    objects[:] = values.to_pylist()
    return objects


def _cells(values: np.ndarray, lengths: pa.Array) -> pd.Series:
    cells = np.empty(len(lengths), dtype=object)
    begin = 0
    for row, length in enumerate(lengths.to_pylist()):
        if length is not None:
            cells[row] = values[begin : begin + length]
            begin += length
    return pd.Series(cells)
