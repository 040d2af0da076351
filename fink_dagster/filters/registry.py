"""Which filters exist. A new filter is one new file and one line here; how they are evaluated is said in ``apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.errors import unknown
from fink_dagster.filters import sso_fink_candidates, sso_ztf_candidates

if TYPE_CHECKING:
    from fink_dagster.filters.filter import Filter

_FILTERS = {item.name: item for item in (sso_fink_candidates.FILTER, sso_ztf_candidates.FILTER)}


def filters() -> list[Filter]:
    """Return all filters by name."""
    return [_FILTERS[name] for name in sorted(_FILTERS)]


def get_filter(name: str) -> Filter:
    """Return a filter by name.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    if name not in _FILTERS:
        raise unknown("filter", name, _FILTERS)
    return _FILTERS[name]
