"""Filters of the real fink-filters as filters of the platform: unmodified, and without a Spark session.

Here is how one is declared and called. Upstream finds a filter's columns by the names of its arguments, among those of
the flattened alert and what its ``distribute`` adds; so it is done here. No filter is named here, those for ZTF are
declared in ``fink_filters_ztf``. The package is imported in the process of the filters and not before, for it has
dependencies of its own; that process has no settings, and so no token to write to Telegram or Slack with.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from fink_dagster.filters.filter import SHARED, Filter
from fink_dagster.science.arguments import Field, WithHistory
from fink_dagster.science.fink_science import NO_PROCESSOR, udf_of
from fink_dagster.science.module import Unavailable
from fink_dagster.surveys.avro import has_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fink_dagster.science.arguments import Argument

PREFIX = "ff_"
"""Of names, so that upstream's topics stand beside the platform's."""
HISTORIES = ("jd", "fid", "magpsf", "sigmapsf", "magnr", "sigmagnr", "magzpsci", "isdiffpos", "diffmaglim")
"""Fields upstream adds with their history, ``jd`` as ``cjdc`` and so on (fink-broker, ``ztf/distribute``)."""
ADDED: Mapping[str, Argument] = {
    **{f"c{field}c": WithHistory(field) for field in HISTORIES},
    "cstampDatac": Field("cutoutScience.stampData"),
    "linear_fit_slope": Field("lc_features_r.linear_fit_slope"),
}


def adapted(name: str, *, version: str, schema: Any, names: tuple[str, ...], description: str) -> Filter:
    """Declare a livestream filter of fink-filters as a filter.

    Parameters
    ----------
    name : str
        Upstream's.
    version : str
        That of the package, which must be the one installed.
    schema : dict
        The alert's, as :func:`fink_dagster.surveys.avro.by_place` returns it.
    names : tuple of str
        Of its arguments, in order.
    description : str
        One sentence for those who subscribe.
    """
    path = f"fink_filters.ztf.livestream.filter_{name}.filter:{name}"
    predicate = Livestream(path, version, names, tuple(argument(each, schema) for each in names))
    return Filter(f"{PREFIX}{name}", predicate.paths, predicate, description, "fink-filters", version, process=SHARED)


def argument(name: str, schema: Any) -> Argument:
    """Return what an argument of that name is given.

    A column that upstream's ``distribute`` adds, a field of the alert, one of its candidate, or else a column that some
    science module adds.
    """
    if name in ADDED:
        return ADDED[name]
    inside = f"candidate.{name}"
    return Field(inside if not has_path(schema, name) and has_path(schema, inside) else name)


@dataclass(frozen=True)
class Livestream:
    """The predicate of an adapted filter; its parts are explained at :func:`adapted`.

    It holds the filter's name, not its code, and so reaches processes that only import the package.
    """

    path: str
    release: str
    names: tuple[str, ...]
    arguments: tuple[Argument, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Columns it takes, each once."""
        return tuple(dict.fromkeys(path for each in self.arguments for path in each.paths))

    def __call__(self, *columns: pd.Series) -> pd.Series:
        """Call the filter.

        Raises
        ------
        Unavailable
            ``no_processor`` when it cannot be had, or takes other arguments than declared.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Spark and pandas at old ways; who reads ours cannot mend them
            return self._called(dict(zip(self.paths, columns, strict=True)))

    def _called(self, given: dict[str, pd.Series]) -> pd.Series:
        udf = udf_of(self.path, self.release)
        takes = tuple(inspect.signature(udf.func).parameters)
        if takes != self.names:
            text = f"must take {', '.join(self.names)}; got {', '.join(takes)}; declare it so"
            raise Unavailable(NO_PROCESSOR, f"{self.path} {text}")
        frame = pd.DataFrame(given)
        verdict: pd.Series = udf.func(*(each.column(frame) for each in self.arguments))
        return verdict
