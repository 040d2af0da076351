"""The order in which science modules can run: each after those whose outputs it needs.

Read off the modules' declarations. Which modules there are is said in ``registry``.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fink_dagster.science.module import Module


def in_order(unordered: Sequence[Module]) -> list[Module]:
    """Sort modules so that each comes after those whose outputs it needs, by name where that leaves a choice.

    Raises
    ------
    OperationError
        When two modules add the same column, or modules need each other's outputs in a circle.
    """
    by_name = {module.name: module for module in sorted(unordered, key=lambda module: module.name)}
    if circle := circle_among(list(by_name.values())):
        message = f"science modules: must not need each other's outputs in a circle; got {' -> '.join(circle)}"
        raise OperationError(message)
    return [by_name[name] for name in TopologicalSorter(_needs(list(by_name.values()))).static_order()]


def circle_among(modules: Sequence[Module]) -> list[str]:
    """Return the names of modules that need each other's outputs in a circle; empty when there is none."""
    try:
        TopologicalSorter(_needs(modules)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _needs(modules: Sequence[Module]) -> Mapping[str, Sequence[str]]:
    adds = _who_adds(modules)
    return {module.name: [adds[path] for path in module.reads if path in adds] for module in modules}


def _who_adds(ordered: Sequence[Module]) -> dict[str, str]:
    adds: dict[str, str] = {}
    for module in ordered:
        for output in module.outputs:
            if output.name in adds:
                message = (
                    f"science module {module.name}: must add columns of its own; got {output.name!r}, "
                    f"which {adds[output.name]} adds; rename one"
                )
                raise OperationError(message)
            adds[output.name] = module.name
    return adds
