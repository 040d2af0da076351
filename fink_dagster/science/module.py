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

NO_CATALOGUE = "no_catalogue"
"""Code of a module whose catalogue nobody has put there, which is no fault."""

Result = pd.DataFrame | pd.Series | np.ndarray

MOST_ALERTS = 500
"""A function is called with at most so many at once, the size of a batch between Spark and Python."""


class Unavailable(Exception):
    """What a module raises when something it needs is not there, such as a catalogue: no fault of its own.

    Parameters
    ----------
    code : str
        Stands in ``science_status``: lower case, words joined by underscores.
    text : str
        What is missing, in one sentence.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Output:
    """One column a module adds.

    Parameters
    ----------
    name : str
        Column of the science table.
    type : str
        Spark type name, one of ``int``, ``bigint``, ``float``, ``double``, ``string``, ``boolean``; empty for a
        record of numbers, which ``fields`` describes.
    unit : str
        Unit of the value; empty for a number without one.
    meaning : str
        One sentence for the schema, the documentation and the expectations.
    fields : tuple of str
        Of a record: the names of its numbers, all double. The module gives a dict of them, or None, per alert.
    """

    name: str
    type: str
    unit: str
    meaning: str
    fields: tuple[str, ...] = ()

    @property
    def spark_type(self) -> str:
        """The column's type in Spark SQL."""
        if not self.fields:
            return self.type
        return f"struct<{','.join(f'{field}:double' for field in self.fields)}>"


@dataclass(frozen=True)
class Limits:
    """What a module may take; one that takes more is ended, and gives nothing for the alerts it was asked for.

    Parameters
    ----------
    seconds : float
        Longest time of one call, which is for 500 alerts at most [s]. By the clock on the wall: what waits for ever
        uses no processor.
    memory_mib : int
        Most memory of its process, libraries and alerts included, files mapped into memory not [MiB].
    """

    seconds: float = 60.0
    memory_mib: int = 2048


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
        column per output. Pure: the same input gives the same output, whatever alerts came together. A value that is
        not defined is null (``pd.NA`` or None); a NaN is taken for a fault.
    optional : tuple of str
        Further inputs, in the form of ``inputs`` and handed over after them; one that is not there, or was not given,
        is null.
    owner : str
        Who answers for it.
    where : str
        Boolean output of another module: the function gets those alerts only, and the others' cells are null. Empty
        for all alerts.
    limits : Limits
        What it may take.
    alone : bool
        Whether it gets a process of its own; set for all modules that are not the platform's, which share one.
    """

    name: str
    version: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    function: Callable[..., Result]
    optional: tuple[str, ...] = ()
    owner: str = "fink-dagster"
    where: str = ""
    limits: Limits = Limits()
    alone: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Every column it cannot run without."""
        return (*self.inputs, self.where) if self.where else self.inputs

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column it looks at where it is there."""
        return (*self.needs, *self.optional)
