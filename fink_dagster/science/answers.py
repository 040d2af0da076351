"""What a module gives, checked against what it declares: shape, types, no NaN.

An answer that is wrong as a whole is refused with a code; single NaN and infinities are reported, the rest is taken.
Here a module's function is called, and nowhere else; in which process is ``isolation``'s, what becomes of one that is
refused is ``run``'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fink_dagster.science.failure import WRONG_SHAPE, WRONG_TYPE
from fink_dagster.science.module import PANDAS_TYPES, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.science.module import Module, Output


@dataclass(frozen=True)
class Answer:
    """What a module gave for some alerts.

    Parameters
    ----------
    columns : dict
        Its outputs as nullable arrays.
    wrong : ndarray of bool
        For which alerts one of them was NaN.
    seconds : float
        Processor time it took in another process [s].
    """

    columns: dict[str, Any]
    wrong: np.ndarray
    seconds: float = 0.0


def answer_of(module: Module, columns: Sequence[pd.Series], number: int) -> Answer:
    """Call a module's function for some alerts.

    Parameters
    ----------
    module : Module
        Which.
    columns : sequence of Series
        One per input, optional ones after the others; the function may change them.
    number : int
        How many alerts there are.

    Raises
    ------
    Unavailable
        ``wrong_shape`` or ``wrong_type`` when its answer cannot be taken. What the function raises is let through.
    """
    return checked(module.function(*columns), module, number)


def checked(result: object, module: Module, number: int) -> Answer:
    """Return what a module gave for some alerts, in the types it declares.

    Raises
    ------
    Unavailable
        ``wrong_shape`` or ``wrong_type`` when it cannot be taken.
    """
    wrong: np.ndarray = np.zeros(number, dtype=bool)
    columns = {}
    for out in module.outputs:
        cells = _cells(result, out, module)
        if len(cells) != number:
            raise Unavailable(WRONG_SHAPE, f"{out.name!r} must have {number} values; got {len(cells)}")
        columns[out.name] = _typed(cells, out)
        # A number may be finite as it is given and too large for its column.
        wrong |= _is_nan(cells) | _is_nan(pd.Series(columns[out.name]))
    return Answer(columns, wrong)


def nulls(out: Output, number: int) -> pd.Series:
    """Return a column of nulls in an output's type."""
    if out.fields:
        return pd.Series([None] * number, dtype=object)
    return pd.Series(pd.NA, index=range(number), dtype=PANDAS_TYPES[out.type])


def _cells(result: object, out: Output, module: Module) -> pd.Series:
    """Return an output's column, its values by position, whatever index the module made up."""
    if isinstance(result, pd.DataFrame):
        if out.name not in result.columns:
            got = ", ".join(map(str, result.columns))
            raise Unavailable(WRONG_SHAPE, f"must give a column {out.name!r}; got {got}")
        result = result[out.name]
    elif len(module.outputs) != 1:
        raise Unavailable(WRONG_SHAPE, f"must give a DataFrame of {len(module.outputs)} columns")
    if isinstance(result, np.ndarray) and result.ndim == 1:
        return pd.Series(result)
    if isinstance(result, pd.Series):
        return result.reset_index(drop=True)
    raise Unavailable(WRONG_TYPE, f"{out.name!r} must be a Series or an array; got {type(result).__name__}")


def _typed(cells: pd.Series, out: Output) -> Any:
    if out.fields:
        return pd.Series([_record(cell, out) for cell in cells], dtype=object).array
    if out.type == "bigint" and pd.api.types.is_float_dtype(cells.dtype):
        text = f"{out.name!r} must be whole numbers; got {cells.dtype}, in which identifiers of 18 digits are rounded"
        raise Unavailable(WRONG_TYPE, text)
    kind = pd.api.types.pandas_dtype(PANDAS_TYPES[out.type])
    try:
        typed = cells.astype(kind)
    except (TypeError, ValueError) as error:
        raise Unavailable(WRONG_TYPE, f"{out.name!r} must be {out.type}; {error}") from None
    if not _is_as_given(cells, typed, out):
        raise Unavailable(WRONG_TYPE, f"{out.name!r} must be {out.type}; got a value that is none")
    return typed.array


def _is_as_given(cells: pd.Series, typed: pd.Series, out: Output) -> bool:
    """Tell whether a cast has changed nothing: pandas wraps integers that are too large, and makes text of anything."""
    if out.type == "string":
        return all(isinstance(cell, str) for cell in cells.dropna())
    if out.type in ("int", "bigint"):
        return bool((cells.dropna().astype(object) == typed.dropna().astype(object)).all())
    return True


def _record(cell: object, out: Output) -> dict[str, float | None] | None:
    if cell is None or cell is pd.NA:
        return None
    if not isinstance(cell, dict) or set(cell) != set(out.fields):
        raise Unavailable(WRONG_TYPE, f"{out.name!r} must be a dict of {len(out.fields)} numbers, or None")
    try:
        return {
            field: None if cell[field] is None or cell[field] is pd.NA else float(cell[field]) for field in out.fields
        }
    except (TypeError, ValueError) as error:
        raise Unavailable(WRONG_TYPE, f"{out.name!r} must hold numbers; {error}") from None


def _is_nan(cells: pd.Series) -> np.ndarray:
    """Return where a cell, or a number in it, is NaN or infinite; a null is neither."""
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind == "f":
        return ~np.isfinite(cells.to_numpy())
    if pd.api.types.is_float_dtype(cells.dtype):
        return ~np.isfinite(cells.to_numpy(dtype=np.float64, na_value=0.0))
    if cells.dtype != object:
        return np.zeros(len(cells), dtype=bool)
    return np.array([_has_nan(cell) for cell in cells], dtype=bool)


def _has_nan(cell: object) -> bool:
    values = cell.values() if isinstance(cell, dict) else (cell,)
    return any(isinstance(value, float | np.floating) and not np.isfinite(value) for value in values)
