"""How alerts' columns travel to the process of a module, and its answer back.

What goes out is pickled: it is ours. What comes back is Arrow: it is made where anybody's code runs, and reading it
executes nothing.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pandas as pd
import pyarrow as pa

from fink_dagster.science.answers import Answer
from fink_dagster.science.failure import CRASHED
from fink_dagster.science.frame import array_of, output_type
from fink_dagster.science.module import PANDAS_TYPES, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.science.failure import Failure
    from fink_dagster.science.module import Module, Output

_MODULES = 256
_NO_NUMBERS = np.empty(0, dtype=np.float64)


def question(number: int, module: Module, columns: Sequence[pd.Series], alerts: int) -> bytes:
    """Return the message that asks a module for its answer on some alerts.

    Parameters
    ----------
    number : int
        Of the question; its answer bears the same.
    module : Module
        Which.
    columns : sequence of Series
        One per input, optional ones after the others.
    alerts : int
        How many there are.
    """
    flat = [_flat(column) for column in columns]
    return pickle.dumps((number, cloudpickle.dumps(module), flat, alerts), pickle.HIGHEST_PROTOCOL)


def asked(message: bytes) -> tuple[int, Module, list[pd.Series], int]:
    """Read such a message; the module is the same object whenever the same one is asked."""
    number, module, columns, alerts = pickle.loads(message)  # noqa: S301 - written by question
    return number, _unpickled(module), [_series(column) for column in columns], alerts


def answer_message(number: int, answer: Answer, module: Module) -> bytes:
    """Return the message that tells what a module gave."""
    columns = [array_of(answer.columns[out.name], output_type(out)) for out in module.outputs]
    return _message([*columns, pa.array(answer.wrong)], number=str(number), seconds=str(answer.seconds))


def failure_message(number: int, failure: Failure) -> bytes:
    """Return the message that tells why a module gave nothing."""
    return _message([], number=str(number), code=failure.code, text=failure.text)


def read_answer(number: int, message: bytes, module: Module, alerts: int) -> Answer:
    """Read either message.

    Raises
    ------
    Unavailable
        When the module gave nothing, or what came is no answer to that question.
    """
    try:
        with pa.ipc.open_stream(message) as stream:
            table = stream.read_all()
        table.validate(full=True)
        said = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if int(said["number"]) != number:
            raise Unavailable(CRASHED, "its process answered another question")
        if "code" in said:
            raise Unavailable(said["code"], said["text"])
        seconds = float(said["seconds"])
    except (pa.ArrowException, OSError, KeyError, ValueError):
        raise Unavailable(CRASHED, "its process said what is no answer") from None
    if (table.schema.types, len(table)) != ([*(output_type(out) for out in module.outputs), pa.bool_()], alerts):
        raise Unavailable(CRASHED, "its process gave other columns than the module declares")
    *columns, wrong = table.columns
    typed = {out.name: _nullable(column, out) for out, column in zip(module.outputs, columns, strict=True)}
    return Answer(typed, wrong.to_numpy(), seconds)


def _message(columns: Sequence[pa.Array], **said: str) -> bytes:
    names = [str(place) for place in range(len(columns))]
    table = pa.table(list(columns), names=names).replace_schema_metadata(said)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _nullable(column: pa.ChunkedArray, out: Output) -> Any:
    if out.fields:
        return pd.Series(column.to_pylist(), dtype=object).array
    kind: Any = pd.api.types.pandas_dtype(PANDAS_TYPES[out.type])
    return kind.__from_arrow__(column)


def _flat(column: pd.Series) -> Any:
    """Return a column without its index; one of arrays of numbers as all its numbers, and how many each alert has."""
    if column.dtype != object:
        return column.array
    cells = column.to_list()
    if not all(cell is None or (isinstance(cell, np.ndarray) and cell.dtype == np.float64) for cell in cells):
        return column.array
    lengths = np.array([-1 if cell is None else len(cell) for cell in cells], dtype=np.int64)
    return np.concatenate([_NO_NUMBERS, *(cell for cell in cells if cell is not None)]), lengths


def _series(flat: Any) -> pd.Series:
    if not isinstance(flat, tuple):
        return pd.Series(flat)
    values, lengths = flat
    cells = np.empty(len(lengths), dtype=object)
    begin = 0
    for row, length in enumerate(lengths.tolist()):
        if length >= 0:
            cells[row] = values[begin : begin + length]
            begin += length
    return pd.Series(cells)


@lru_cache(_MODULES)
def _unpickled(module: bytes) -> Module:
    read: Module = pickle.loads(module)  # noqa: S301 - written by question
    return read
