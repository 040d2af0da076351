"""Which filters send: what was decided of each, and what holds of one nothing was decided of.

The rule only; decisions are kept in ``lake.filters``, and what speaks for one is said in ``trial``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.filters.filter import Filter

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


def decision_on(item: Filter, decisions: Sequence[Decision], *, is_own: bool) -> Decision | None:
    """Return the decision that holds of a filter, or None.

    Parameters
    ----------
    item : Filter
        The filter as it is now.
    decisions : sequence of Decision
        All there are, oldest first.
    is_own : bool
        Whether somebody else than the platform brought it: then a new version is another filter, and nothing that was
        decided of the old one holds of it. The platform's keep their state when the platform is upgraded.
    """
    held = [one for one in decisions if one.filter == item.name and (not is_own or one.version == item.version)]
    return held[-1] if held else None


def is_active(item: Filter, decisions: Sequence[Decision], *, is_own: bool) -> bool:
    """Tell whether a filter sends: as was decided; without a decision the platform's do and all others do not."""
    decision = decision_on(item, decisions, is_own=is_own)
    return decision.state == ACTIVE if decision else not is_own


def limit_of(item: Filter, decisions: Sequence[Decision], *, is_own: bool) -> float:
    """Return the largest share of a night's alerts an active filter is meant to pass."""
    decision = decision_on(item, decisions, is_own=is_own)
    return decision.share_limit if decision else NO_LIMIT
