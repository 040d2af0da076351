"""Finding what others bring: in the files of a folder, and in installed packages.

The code is somebody else's: whatever it raises while it is loaded becomes a sentence, and the next one is loaded. What
is declared is judged by who asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from fink_dagster.errors import UserError
from fink_dagster.plugins.carried import InFile, executed, pickled
from fink_dagster.plugins.kind import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from importlib.metadata import EntryPoint
    from pathlib import Path

TEXT_CHARACTERS = 300
_PASSED_OVER = ("test_", "_", "conftest.")
"""How files in the folder begin that declare nothing."""

T = TypeVar("T")
E = TypeVar("E", bound=Entry[Any])


def in_file(kind: Kind[T, E], file: Path) -> list[T]:
    """Return what a file declares.

    Raises
    ------
    UserError
        When it declares none, or something else under the names. What the file itself raises is let through.
    """
    text = file.read_bytes()
    declared = kind.declared(executed(str(file), text))
    return [_with(kind, each, lambda _, name: InFile(str(file), text, name, kind)) for each in declared]


def in_folder(kind: Kind[T, E], folder: Path) -> Iterator[E]:
    """Yield what the files of a folder declare, in the order of their names; tests and ``_``-names are passed over."""
    if not folder.is_dir():
        yield kind.entry(folder.name, str(folder), None, "must be a folder; got none; make it, or unset the setting")
        return
    for file in sorted(folder.glob("*.py")):
        if not file.name.startswith(_PASSED_OVER):
            yield from _entries(kind, file.stem, str(file), partial(in_file, kind, file))


def in_packages(kind: Kind[T, E]) -> Iterator[E]:
    """Yield what installed packages offer as entry points: one, several, or a function that returns that."""
    for point in sorted(entry_points(group=kind.group), key=lambda point: (point.name, point.value)):
        package = point.dist.name if point.dist else "?"
        yield from _entries(kind, point.name, f"{package}: {point.value}", partial(_offered, kind, point))


def _entries(kind: Kind[T, E], name: str, source: str, load: Callable[[], list[T]]) -> Iterator[E]:
    try:
        found: list[Any] = load()
    except UserError as error:
        yield kind.entry(name, source, None, str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is anybody's code and may raise anything
        got = " ".join(f"{type(error).__name__}: {error}".split())[:TEXT_CHARACTERS]
        yield kind.entry(name, source, None, f"must load; got {got}; correct it")
    else:
        yield from (kind.entry(str(each.name)[:60], source, replace(each, **kind.marks), "") for each in found)


def _offered(kind: Kind[T, E], point: EntryPoint) -> list[T]:
    value = point.load()
    offered = kind.listed(value() if callable(value) and not isinstance(value, kind.declaration) else value, "be")
    return [_with(kind, each, lambda function, _: pickled(function)) for each in offered]


def _with(kind: Kind[T, E], declared: Any, carry: Callable[[Any, str], Any]) -> T:
    """Return a declaration whose function can be sent to workers; what is no function is left to be refused."""
    function = getattr(declared, kind.function)
    if not callable(function):
        return declared
    carried: T = replace(declared, **{kind.function: carry(function, declared.name)})
    return carried
