"""Which science modules exist, in the order in which they can run.

A new module is one new file and one line here. How modules are run is said in ``run``.
"""

from __future__ import annotations

import difflib
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import OperationError, UserError
from fink_dagster.science import (
    classification,
    crossmatch,
    fast_transient_rate,
    flags,
    hostless,
    lc_features,
    nalerthist,
    roid,
    sky,
    transient_features,
)
from fink_dagster.surveys.avro import has_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.science.module import Module

SCIENCE_VERSION = "0.2.0"
_MODULES = (
    classification.MODULE,
    *crossmatch.MODULES,
    fast_transient_rate.MODULE,
    flags.MODULE,
    hostless.CANDIDATE_MODULE,
    hostless.MODULE,
    lc_features.MODULE,
    nalerthist.MODULE,
    roid.MODULE,
    sky.MODULE,
    transient_features.MODULE,
)


def science_version() -> str:
    """Return the version of the modules as a whole, the one stamped on every science row."""
    return SCIENCE_VERSION


def modules() -> list[Module]:
    """Return all modules, each after those whose outputs it needs."""
    return in_order(_MODULES)


def modules_for(alert_schema: Any) -> list[Module]:
    """Return the modules that can run on a survey's alerts: those whose inputs are fields of it, or other outputs.

    Parameters
    ----------
    alert_schema : dict
        Avro schema as :func:`fink_dagster.surveys.avro.by_place` returns it.
    """
    given: set[str] = set()
    able = []
    for module in modules():
        if all(path in given or has_path(alert_schema, path) for path in module.needs):
            able.append(module)
            given |= {output.name for output in module.outputs}
    return able


def get_module(name: str) -> Module:
    """Return a module by name.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    known = {module.name: module for module in _MODULES}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(sorted(known))}"
    message = f"science module: must be one the platform knows; got {name[:40]!r}; {hint}"
    raise UserError(message)


def in_order(unordered: Sequence[Module]) -> list[Module]:
    """Sort modules so that each comes after those whose outputs it needs, by name where that leaves a choice.

    Raises
    ------
    OperationError
        When two modules add the same column, or modules need each other's outputs in a circle.
    """
    by_name = {module.name: module for module in sorted(unordered, key=lambda module: module.name)}
    adds = _who_adds(list(by_name.values()))
    needs = {name: [adds[path] for path in module.reads if path in adds] for name, module in by_name.items()}
    try:
        return [by_name[name] for name in TopologicalSorter(needs).static_order()]
    except CycleError as error:
        message = f"science modules: must not need each other's outputs in a circle; got {' -> '.join(error.args[1])}"
        raise OperationError(message) from None


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
