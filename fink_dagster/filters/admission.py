"""What a filter must declare to be taken: texts, inputs, a predicate, limits, a name nothing else has.

The declaration alone is looked at; what the predicate gives is checked where it runs. That a name can be part of a
topic's is checked when a filter is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import COUNT
from fink_dagster.science.admission import fault_in_inputs, fault_in_limits, fault_in_text
from fink_dagster.surveys import survey_names

if TYPE_CHECKING:
    from fink_dagster.filters.filter import Filter


def fault_in(item: Filter) -> str:
    """Return what is wrong with a filter by itself; empty when nothing is."""
    faults = (
        *(fault_in_text(item, field) for field in ("description", "owner", "version")),
        fault_in_inputs(item),
        "" if callable(item.predicate) else f"must have a predicate; got {item.predicate!r:.60}; correct it",
        fault_in_limits(item.limits),
        _fault_in_name(item.name),
        f"must not be called {COUNT!r}, as the count topic is; got that; rename it" if item.name == COUNT else "",
    )
    return next(filter(None, faults), "")


def _fault_in_name(name: str) -> str:
    """Return that a filter's topic would stand among the count topics, which users are not let into by a prefix."""
    for survey in survey_names():
        if name.startswith(f"{survey}_"):
            return f"must not have a name that begins with a survey's; got {name!r}; rename it"
    return ""
