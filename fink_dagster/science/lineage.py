"""Where a number comes from: which fields of the alert each added column is computed from, and by which module.

Read off the modules' declarations; nothing is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fink_dagster.science.module import Module


@dataclass(frozen=True)
class Origin:
    """Of an added column: its module and version, and the alert's fields, dotted, that it depends on."""

    module: str
    version: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module} {self.version}, from {', '.join(self.fields) or 'nothing'}"


def origins(modules: Sequence[Module], holds: Callable[[str], bool]) -> dict[str, Origin]:
    """Return the origin of each column modules add; what they take from each other is traced to the alert.

    Parameters
    ----------
    modules : sequence of Module
        In an order that respects their needs.
    holds : callable
        Whether alerts have a field; optional ones they do not have are left out.
    """
    found: dict[str, Origin] = {}
    for module in modules:
        fields: set[str] = set()
        for path in module.reads:
            fields |= set(found[path].fields) if path in found else {path} if holds(path) else set()
        found |= {out.name: Origin(module.name, module.version, tuple(sorted(fields))) for out in module.outputs}
    return found
