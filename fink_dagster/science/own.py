"""Science modules of one's own: found in installed packages and in a folder, and loaded.

What they must declare is said in ``admission``, how they join those of the platform in ``registry``. The code is
somebody else's: whatever it raises while it is loaded becomes a sentence, and the next one is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import sys
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.abc import ExecutionLoader
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from fink_dagster.errors import UserError
from fink_dagster.science.module import Module

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint
    from types import ModuleType

    from fink_dagster.science.module import Result

GROUP = "fink_dagster.science"
"""Of the entry points in which an installed package offers modules."""
PLATFORM = "fink-dagster"
TEXT_CHARACTERS = 300
_NO_MODULES = ("test_", "_", "conftest.")
"""How files in the folder are called that are no science modules."""


@dataclass(frozen=True)
class Entry:
    """A science module and where it comes from, or what was found in place of one.

    Parameters
    ----------
    name : str
        Of the module; of the file or the entry point where there is none.
    source : str
        ``fink-dagster``, the entry point, or the file.
    module : Module, optional
        None when it could not be loaded.
    why : str
        Why it does not run: what must be; got what; what to do. Empty when it does.
    """

    name: str
    source: str
    module: Module | None
    why: str = ""

    @property
    def is_own(self) -> bool:
        """Whether somebody else than the platform brought it."""
        return self.source != PLATFORM

    @property
    def where(self) -> str:
        """Which module is meant, at the beginning of a sentence."""
        return f"science module {self.name} ({self.source})"

    @property
    def sentence(self) -> str:
        """Why it does not run, and which one."""
        return f"{self.where}: {self.why}"


@dataclass(frozen=True)
class InFile:
    """The function of a module that stands in a file; it travels to workers as the file's text.

    Workers cannot import the file, and all of a run must compute with the same text, whatever becomes of the file.

    Parameters
    ----------
    file : str
        Where the text was read.
    text : bytes
        All of it.
    module : str
        Name of the science module.
    """

    file: str
    text: bytes
    module: str

    def __call__(self, *columns: Any) -> Result:
        """Call the function the file declares; where it was not executed yet in this process, it is."""
        declared = _declared(_executed(self.file, self.text))
        return next(module for module in declared if module.name == self.module).function(*columns)


@dataclass(frozen=True)
class InPackage:
    """The function of a module that stands in an installed package; it travels pickled.

    Only the process in which it is called imports the package, whatever that does.

    Parameters
    ----------
    pickled : bytes
        The function.
    """

    pickled: bytes

    def __call__(self, *columns: Any) -> Result:
        """Call the function; where the package was not imported yet in this process, it is."""
        return _unpickled(self.pickled)(*columns)


def modules_in(file: Path) -> list[Module]:
    """Return the science modules a file declares, as ``MODULE`` or ``MODULES``.

    Raises
    ------
    UserError
        When it declares none, or something else under these names. What the file itself raises is let through.
    """
    text = file.read_bytes()
    declared = _declared(_executed(str(file), text))
    return [replace(module, function=_carried(module, file, text)) for module in declared]


def found_in_folder(folder: Path) -> Iterator[Entry]:
    """Yield what the files of a folder declare, in the order of their names; tests and ``_``-names are passed over."""
    if not folder.is_dir():
        yield Entry(folder.name, str(folder), None, "must be a folder; got none; make it, or unset the setting")
        return
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith(_NO_MODULES):
            yield from _entries(file.stem, str(file), partial(modules_in, file))


def found_in_packages() -> Iterator[Entry]:
    """Yield what installed packages offer as entry points: a module, several, or a function that returns that."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        package = point.dist.name if point.dist else "?"
        yield from _entries(point.name, f"{package}: {point.value}", partial(_offered, point))


def _entries(name: str, source: str, load: Callable[[], list[Module]]) -> Iterator[Entry]:
    try:
        modules = load()
    except UserError as error:
        yield Entry(name, source, None, str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module is anybody's code and may raise anything
        got = " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARACTERS]
        yield Entry(name, source, None, f"must load; got {got}; correct it")
    else:
        yield from (Entry(str(module.name)[:60], source, replace(module, alone=True)) for module in modules)


def _offered(point: EntryPoint) -> list[Module]:
    value = point.load()
    offered = _listed(value() if callable(value) and not isinstance(value, Module) else value, "be")
    return [replace(module, function=_pickled(module.function)) for module in offered]


def _declared(executed: ModuleType) -> list[Module]:
    names = [name for name in ("MODULE", "MODULES") if hasattr(executed, name)]
    if not names:
        raise UserError("must define MODULE or MODULES; got neither; fink-dagster science new shows how")
    return [module for name in names for module in _listed(getattr(executed, name), f"define {name} as")]


def _listed(value: object, must: str) -> list[Module]:
    items = list(value) if isinstance(value, list | tuple) else [value]
    modules = [item for item in items if isinstance(item, Module)]
    if items and len(modules) == len(items):
        return modules
    got = next((type(item).__name__ for item in items if not isinstance(item, Module)), "none")
    raise UserError(f"must {must} a Module of fink_dagster.science.module, or several; got {got}; correct it")


def _carried(module: Module, file: Path, text: bytes) -> Callable[..., Result]:
    return InFile(str(file), text, module.name) if callable(module.function) else module.function


def _pickled(function: Any) -> Callable[..., Result]:
    try:
        return InPackage(cloudpickle.dumps(function)) if callable(function) else function
    except Exception as error:  # noqa: BLE001 - whatever it holds may raise anything
        message = f"must have a function that can be sent to a worker; got {error!s:.120}; make in it what it holds"
        raise UserError(message) from None


@cache
def _unpickled(pickled: bytes) -> Callable[..., Result]:
    function: Callable[..., Result] = pickle.loads(pickled)  # noqa: S301 - written by _pickled
    return function


@cache
def _executed(file: str, text: bytes) -> ModuleType:
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


class _Text(ExecutionLoader):
    """Executes a text that was read before; nothing is written beside the file, whose folder may be read-only."""

    def __init__(self, file: str, text: bytes) -> None:
        self._file, self._text = file, text

    def get_filename(self, fullname: str) -> str:
        return self._file

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._text)
