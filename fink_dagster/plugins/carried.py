"""How a function that somebody else wrote reaches workers: as the text of its file, or pickled by its package.

Workers cannot see the folder it was found in. Which functions there are is found in ``found``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.abc import ExecutionLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType

    from fink_dagster.plugins.kind import Kind

Function = Callable[..., Any]


@dataclass(frozen=True)
class InFile:
    """A function that stands in a file; it travels to workers as the file's text.

    Workers cannot import the file, and all of a run must compute with the same text, whatever becomes of the file.

    Parameters
    ----------
    file : str
        Where the text was read.
    text : bytes
        All of it.
    name : str
        Of the declaration whose function it is.
    kind : Kind
        What is declared.
    """

    file: str
    text: bytes
    name: str
    kind: Kind[Any, Any]

    def __call__(self, *columns: Any) -> Any:
        """Call the function the file declares; where it was not executed yet in this process, it is."""
        declared = self.kind.declared(executed(self.file, self.text))
        one = next(each for each in declared if each.name == self.name)
        return getattr(one, self.kind.function)(*columns)


@dataclass(frozen=True)
class InPackage:
    """A function that stands in an installed package; it travels pickled.

    Only the process in which it is called imports the package, whatever that does.

    Parameters
    ----------
    pickled : bytes
        The function.
    """

    pickled: bytes

    def __call__(self, *columns: Any) -> Any:
        """Call the function; where the package was not imported yet in this process, it is."""
        return _unpickled(self.pickled)(*columns)


def pickled(function: Any) -> Function:
    """Return a function of a package so that it can be sent; what is no function is returned as it is.

    Raises
    ------
    UserError
        When it cannot be sent.
    """
    try:
        return InPackage(cloudpickle.dumps(function)) if callable(function) else function
    except Exception as error:  # noqa: BLE001 - whatever it holds may raise anything
        message = f"must have a function that can be sent to a worker; got {error!s:.120}; make in it what it holds"
        raise UserError(message) from None


@cache
def executed(file: str, text: bytes) -> ModuleType:
    """Execute a file's text, once in a process, as a Python module under a name no other has."""
    name = f"{Path(file).stem}_{hashlib.sha256(file.encode() + text).hexdigest()[:12]}"
    spec = importlib.util.spec_from_loader(name, _Text(file, text))
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    # Data classes look their own module up while it is executed.
    sys.modules[name] = made
    try:
        spec.loader.exec_module(made)  # type: ignore[union-attr]
    except BaseException:
        del sys.modules[name]
        raise
    return made


@cache
def _unpickled(data: bytes) -> Function:
    function: Function = pickle.loads(data)  # noqa: S301 - written by pickled
    return function


class _Text(ExecutionLoader):
    """Executes a text that was read before; nothing is written beside the file, whose folder may be read-only."""

    def __init__(self, file: str, text: bytes) -> None:
        self._file, self._text = file, text

    def get_filename(self, fullname: str) -> str:
        return self._file

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._text)
