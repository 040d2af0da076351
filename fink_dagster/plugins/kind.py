"""What kinds of things others can bring, and how such a thing is looked for in a Python module.

The kinds themselves are declared where they are used; nothing is loaded here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")

PLATFORM = "fink-dagster"
"""Source of what the platform itself has."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """Something that was found and where it comes from, or what was found in place of it.

    Parameters
    ----------
    name : str
        Its own; of the file or the entry point where there is none.
    source : str
        ``fink-dagster``, the entry point, or the file.
    declared : T, optional
        None when it could not be loaded.
    why : str
        Why it cannot be taken: what must be; got what; what to do. Empty when it can.
    """

    name: str
    source: str
    declared: T | None
    why: str = ""

    @property
    def is_own(self) -> bool:
        """Whether somebody else than the platform brought it."""
        return self.source != PLATFORM

    @property
    def what(self) -> str:
        """What it is, in a word or two."""
        raise NotImplementedError

    @property
    def where(self) -> str:
        """Which one is meant, at the beginning of a sentence."""
        return f"{self.what} {self.name} ({self.source})"

    @property
    def sentence(self) -> str:
        """Why it cannot be taken, and which one."""
        return f"{self.where}: {self.why}"


E = TypeVar("E", bound=Entry[Any])


@dataclass(frozen=True)
class Kind(Generic[T, E]):
    """A kind of things others can bring.

    Parameters
    ----------
    declaration : type
        What a file must declare: a data class with ``name`` and a function.
    names : tuple of str
        Under which names it is declared, one and several.
    function : str
        Field that holds the function, which must reach other processes.
    group : str
        Of the entry points in which an installed package offers it.
    entry : callable
        Makes an entry of name, source, declaration and why it cannot be taken.
    shown_by : str
        What shows how one is written.
    marks : mapping
        Fields everything that is not the platform's gets.
    """

    declaration: type[T]
    names: tuple[str, str]
    function: str
    group: str
    entry: Callable[[str, str, T | None, str], E]
    shown_by: str
    marks: Mapping[str, Any] = field(default_factory=dict)

    def declared(self, executed: ModuleType) -> list[T]:
        """Return what a Python module declares.

        Raises
        ------
        UserError
            When it declares none, or something else under these names.
        """
        names = [name for name in self.names if hasattr(executed, name)]
        if not names:
            one, several = self.names
            message = f"must define {one} or {several}; got neither; {self.shown_by} shows how"
            raise UserError(message)
        return [each for name in names for each in self.listed(getattr(executed, name), f"define {name} as")]

    def listed(self, value: object, must: str) -> list[T]:
        """Return one declaration, or several, as a list.

        Raises
        ------
        UserError
            When it is something else.
        """
        items = list(value) if isinstance(value, list | tuple) else [value]
        fitting = [item for item in items if isinstance(item, self.declaration)]
        if items and len(fitting) == len(items):
            return fitting
        got = next((type(item).__name__ for item in items if not isinstance(item, self.declaration)), "none")
        kind = self.declaration
        message = f"must {must} a {kind.__name__} of {kind.__module__}, or several; got {got}; correct it"
        raise UserError(message)
