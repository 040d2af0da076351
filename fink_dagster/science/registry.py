"""Which science modules exist, in the order in which they can run: the platform's, and those of one's own beside them.

A new module of the platform is one new file and one line here; others are found by ``own``, once in a process, when
somebody first asks: tables, stages and assets must see the same set, whatever becomes of the files. One that cannot be
taken costs itself alone. How modules are run is said in ``run``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import UserError, unknown
from fink_dagster.plugins.kind import PLATFORM
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
from fink_dagster.science.admission import PLATFORM_COLUMNS, fault_in, names_in, taken, unread
from fink_dagster.science.order import circle_among, in_order
from fink_dagster.science.own import Entry, found_in_folder, found_in_packages
from fink_dagster.settings import load_settings
from fink_dagster.surveys.avro import has_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    """Return all modules that could be taken, each after those whose outputs it needs."""
    return in_order(_ready(_entries()))


def modules_for(alert_schema: Any) -> list[Module]:
    """Return the modules that can run on a survey's alerts: those whose inputs are fields of it, or other outputs.

    Parameters
    ----------
    alert_schema : dict
        Avro schema as :func:`fink_dagster.surveys.avro.by_place` returns it.
    """
    return in_order(_ready(entries_for(alert_schema)))


def entries_for(alert_schema: Any) -> list[Entry]:
    """Return every module there is, with why it does not run on a survey's alerts where it does not.

    Parameters
    ----------
    alert_schema : dict
        Avro schema as :func:`fink_dagster.surveys.avro.by_place` returns it.
    """
    fields = dict.fromkeys(names_in(alert_schema), "the alert")
    entries = [
        _judged(entry, taken(entry.module, fields)) if entry.module and not entry.why else entry for entry in _entries()
    ]
    given: set[str] = set()
    absent: dict[str, str] = {}
    for module in in_order(_ready(entries)):
        absent[module.name] = unread(
            path for path in module.needs if path not in given and not has_path(alert_schema, path)
        )
        given |= set() if absent[module.name] else {output.name for output in module.outputs}
    return [_judged(entry, absent.get(entry.name, "")) for entry in entries]


def refused_for(alert_schema: Any) -> list[Entry]:
    """Return the modules of one's own that do not run on a survey's alerts."""
    return [entry for entry in entries_for(alert_schema) if entry.is_own and entry.why]


def reload() -> None:
    """Look for modules anew when somebody next asks; for tests, since a run keeps what it began with."""
    _entries.cache_clear()


def get_module(name: str) -> Module:
    """Return a module by name.

    Raises
    ------
    UserError
        When there is none of that name, or it could not be taken.
    """
    known = {entry.name: entry for entry in sorted(_entries(), key=lambda entry: not entry.why)}
    if name not in known:
        raise unknown("science module", name, known)
    entry = known[name]
    if entry.why or entry.module is None:
        raise UserError(entry.sentence)
    return entry.module


@cache
def _entries() -> tuple[Entry, ...]:
    folder = load_settings().science_modules
    own = [*found_in_packages(), *(found_in_folder(folder) if folder else ())]
    entries = _with_names_of_their_own([*(Entry(module.name, PLATFORM, module) for module in _MODULES), *own])
    return tuple(_without_circles(_with_boolean_conditions(entries)))


def _ready(entries: Iterable[Entry]) -> list[Module]:
    return [entry.module for entry in entries if entry.module is not None and not entry.why]


def _judged(entry: Entry, why: str) -> Entry:
    """Return an entry with why it does not run; what was said first stands."""
    return entry if entry.why else replace(entry, why=why)


def _with_names_of_their_own(entries: Iterable[Entry]) -> list[Entry]:
    """Refuse what declares itself wrongly, and of two that have the same name or column the one that comes later."""
    judged = []
    names: dict[str, str] = {}
    makers = {column.lower(): "the platform" for column in PLATFORM_COLUMNS}
    for each in entries:
        entry = _judged(each, _unfit(each.module, names, makers)) if each.module else each
        judged.append(entry)
        for module in _ready([entry]):
            names[module.name] = entry.source
            makers |= {output.name.lower(): f"module {module.name}" for output in module.outputs}
    return judged


def _unfit(module: Module, names: Mapping[str, str], makers: Mapping[str, str]) -> str:
    if fault := fault_in(module):
        return fault
    if module.name in names:
        return f"must have a name of its own; got that of the one in {names[module.name]}; rename it"
    return taken(module, makers)


def _with_boolean_conditions(entries: Sequence[Entry]) -> list[Entry]:
    types = {output.name: output.type for module in _ready(entries) for output in module.outputs}
    judged = []
    for entry in entries:
        where = entry.module.where if entry.module and not entry.why else ""
        wrong = where and types.get(where) != "boolean"
        why = f"must have as where a boolean column of another module; got {where!r}; correct it"
        judged.append(_judged(entry, why) if wrong else entry)
    return judged


def _without_circles(entries: Sequence[Entry]) -> list[Entry]:
    """Refuse modules of one's own that need each other's outputs in a circle; those of the platform alone have none."""
    judged = list(entries)
    while circle := circle_among(_ready(judged)):
        why = f"must not need each other's outputs in a circle; got {' -> '.join(circle)}; take one out"
        judged = [_judged(entry, why) if entry.is_own and entry.name in circle else entry for entry in judged]
    return judged
