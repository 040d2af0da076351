"""Which filters exist: the platform's, those of fink-filters a setting names, and those of one's own beside them.

A new filter of the platform is one new file and one line here; others are found by ``own``, once in a process, when
somebody first asks. One that cannot be taken costs itself alone. How filters are evaluated is said in ``apply``; which
can judge a survey's alerts, and which send, is said where they do.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError, unknown
from fink_dagster.filters import (
    early_kn_candidates,
    fast_riser_candidates,
    first_pass_candidates,
    hostless,
    kn_candidates,
    magnetic_cvs,
    microlensing_candidates,
    rate_based_kn_candidates,
    simbad_types,
    sso_fink_candidates,
    sso_ztf_candidates,
    supernovae,
    tns_match,
    unknowns,
    vra,
    yso_spicy_candidates,
)
from fink_dagster.filters.admission import fault_in
from fink_dagster.filters.own import Entry, found_in_folder, found_in_packages
from fink_dagster.plugins.kind import PLATFORM
from fink_dagster.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fink_dagster.filters.filter import Filter

_FILTERS = (
    early_kn_candidates.FILTER,
    fast_riser_candidates.FILTER,
    first_pass_candidates.FILTER,
    *hostless.FILTERS,
    kn_candidates.FILTER,
    magnetic_cvs.FILTER,
    microlensing_candidates.FILTER,
    rate_based_kn_candidates.FILTER,
    *simbad_types.FILTERS,
    sso_fink_candidates.FILTER,
    sso_ztf_candidates.FILTER,
    *supernovae.FILTERS,
    tns_match.FILTER,
    unknowns.FILTER,
    vra.FILTER,
    yso_spicy_candidates.FILTER,
)


def entries() -> list[Entry]:
    """Return every filter there is by name, with why it cannot be taken where it cannot."""
    return sorted(_entries(), key=lambda entry: (entry.name, entry.source))


def refused() -> list[Entry]:
    """Return what cannot be taken."""
    return [entry for entry in entries() if entry.why]


def filters() -> list[Filter]:
    """Return all filters that could be taken, by name."""
    return [entry.filter for entry in entries() if entry.filter is not None and not entry.why]


def get_filter(name: str) -> Filter:
    """Return a filter by name.

    Raises
    ------
    UserError
        When there is none of that name, or it could not be taken.
    """
    entry = get_entry(name)
    if entry.why or entry.filter is None:
        raise UserError(entry.sentence)
    return entry.filter


def get_entry(name: str) -> Entry:
    """Return a filter by name, with where it comes from and why it cannot be taken.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    known = {entry.name: entry for entry in sorted(_entries(), key=lambda entry: not entry.why)}
    if name not in known:
        raise unknown("filter", name, known)
    return known[name]


def reload() -> None:
    """Look for filters anew when somebody next asks; for tests, since a run keeps what it began with."""
    _entries.cache_clear()


@cache
def _entries() -> tuple[Entry, ...]:
    settings = load_settings()
    own = [
        *_upstreams(settings.fink_filters),
        *found_in_packages(),
        *(found_in_folder(settings.filters) if settings.filters else ()),
    ]
    return tuple(_with_names_of_their_own([*(Entry(item.name, PLATFORM, item) for item in _FILTERS), *own]))


def _upstreams(names: str | None) -> list[Entry]:
    if not names:
        return []
    # With it comes PySpark, for which most commands would wait in vain.
    from fink_dagster.filters.fink_filters_ztf import wanted

    return wanted(names)


def _with_names_of_their_own(found: Iterable[Entry]) -> list[Entry]:
    """Refuse what declares itself wrongly, and of two that have the same name the one that comes later."""
    judged: list[Entry] = []
    sources: dict[str, str] = {}
    for entry in found:
        why = entry.why or (fault_in(entry.filter) if entry.filter else "")
        if not why and entry.name in sources:
            why = f"must have a name of its own; got that of the one in {sources[entry.name]}; rename it"
        if not why:
            sources[entry.name] = entry.source
        judged.append(replace(entry, why=why))
    return judged
