"""Filters of one's own: what a file or an installed package must declare for one.

How they are found and loaded is said in ``plugins``, what they must declare in ``admission``, how they join those of
the platform in ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.filter import ALONE, Filter
from fink_dagster.plugins.found import in_file, in_folder, in_packages
from fink_dagster.plugins.kind import Entry as Found
from fink_dagster.plugins.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPSTREAM = "fink-filters"
"""Source of filters of that package."""


class Entry(Found[Filter]):
    """A filter and where it comes from, or what was found in place of one."""

    @property
    def what(self) -> str:
        """What it is, in a word or two."""
        return "filter"

    @property
    def filter(self) -> Filter | None:
        """The filter; None when it could not be loaded."""
        return self.declared


KIND = Kind(
    declaration=Filter,
    names=("FILTER", "FILTERS"),
    function="predicate",
    group="fink_dagster.filters",
    entry=Entry,
    shown_by="docs/contributor.md",
    marks={"process": ALONE},
)


def filters_in(file: Path) -> list[Filter]:
    """Return the filters a file declares, as ``FILTER`` or ``FILTERS``.

    Raises
    ------
    UserError
        When it declares none, or something else under these names. What the file itself raises is let through.
    """
    return in_file(KIND, file)


def found_in_folder(folder: Path) -> Iterator[Entry]:
    """Yield what the files of a folder declare, in the order of their names; tests and ``_``-names are passed over."""
    return in_folder(KIND, folder)


def found_in_packages() -> Iterator[Entry]:
    """Yield what installed packages offer as entry points: a filter, several, or a function that returns that."""
    return in_packages(KIND)
