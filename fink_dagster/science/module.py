"""What a science module is: its name, what it needs, what it adds, and a pure function.

The declarations only. Which modules exist is said in ``registry``, how they are run in ``run``; nothing is computed
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

# Column types a module may add, by Spark name, and the pandas type that can hold them with nulls.
PANDAS_TYPES = {
    "int": "Int32",
    "bigint": "Int64",
    "float": "Float32",
    "double": "Float64",
    "string": "string",
    "boolean": "boolean",
}

Result = pd.DataFrame | pd.Series | np.ndarray


@dataclass(frozen=True)
class Output:
    """One column a module adds.

    Parameters
    ----------
    name : str
        Column of the science table.
    type : str
        Spark type name, one of ``int``, ``bigint``, ``float``, ``double``, ``string``, ``boolean``.
    unit : str
        Unit of the value; empty for a number without one.
    meaning : str
        One sentence for the schema, the documentation and the expectations.
    """

    name: str
    type: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Module:
    """A science module.

    Parameters
    ----------
    name : str
        Lower-case name, unique among modules.
    version : str
        Changed whenever the same input can give another output.
    inputs : tuple of str
        Dotted paths in the alert, or names of other modules' outputs. A path through an array of records gives one
        numpy array, or None, per alert.
    outputs : tuple of Output
        Columns the module adds.
    function : callable
        Takes one Series per input, in their order; returns one column as Series or array, or a DataFrame with a
        column per output. Pure: the same input gives the same output, whatever alerts came together.
    """

    name: str
    version: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    function: Callable[..., Result]
