"""Which filters send: what was decided of each, and what holds of one nothing was decided of.

The rule only; decisions are kept in ``lake.filters``, and what speaks for one is said in ``trial``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.plugins.kind import PLATFORM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.filters.own import Entry

ACTIVE, INACTIVE = "active", "inactive"
NO_LIMIT = 1.0
"""Of a filter of the platform, until it is activated with another one."""


@dataclass(frozen=True)
class Decision:
    """A change of a filter's state.

    Parameters
    ----------
    filter, version : str
        Which filter.
    state : {"active", "inactive"}
        What it is from then on.
    share_limit : float
        The largest share of a night's alerts it is meant to pass.
    why : str
        What spoke for it.
    """

    filter: str
    version: str
    state: str
    share_limit: float
    why: str


def decision_on(entry: Entry, decisions: Sequence[Decision]) -> Decision | None:
    """Return the decision that holds of a filter, or None.

    A new version is another filter, and nothing that was decided of the old one holds of it; only those of the platform
    itself keep their state when the platform is upgraded.

    Parameters
    ----------
    entry : Entry
        The filter as it is now.
    decisions : sequence of Decision
        All there are, oldest first.
    """
    item, is_trusted = entry.filter, _is_trusted(entry)
    held = [
        one for one in decisions if item and one.filter == item.name and (is_trusted or one.version == item.version)
    ]
    return held[-1] if held else None


def is_active(entry: Entry, decisions: Sequence[Decision]) -> bool:
    """Tell whether a filter sends: as was decided; without a decision the platform's do and all others do not."""
    decision = decision_on(entry, decisions)
    return decision.state == ACTIVE if decision else _is_trusted(entry)


def limit_of(entry: Entry, decisions: Sequence[Decision]) -> float:
    """Return the largest share of a night's alerts an active filter is meant to pass."""
    decision = decision_on(entry, decisions)
    return decision.share_limit if decision else NO_LIMIT


def _is_trusted(entry: Entry) -> bool:
    return entry.source == PLATFORM
