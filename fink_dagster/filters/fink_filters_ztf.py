"""Sixteen livestream filters of fink-filters 7.45 for ZTF, declared; those that ``FINK_FINK_FILTERS`` names are there.

Left out are ``early_kn_candidates`` and ``rate_based_kn_candidates``, which ask the SDSS over the network, and the
three hostless ones, which read a file that fink-science's package does not bring. Ours of all these names stand beside
them. How a filter is called is said in ``fink_filters``.

Where upstream raises on a null, as on ``roid`` as an integer, it fails on that alert alone. ``magnetic_cvs`` looks for
the alert nearest to each star, so that of two alerts of a star one passes, depending on which came together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.filters.fink_filters import PREFIX, adapted
from fink_dagster.filters.own import UPSTREAM, Entry
from fink_dagster.surveys.avro import by_place
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "7.45"
ALL = "all"
_SN = ("cdsxmatch", "snn_snia_vs_nonia", "snn_sn_vs_all")
_CURVE = ("cjdc", "cmagpsfc", "csigmapsfc", "cdiffmaglimc", "cfidc")
# Name of the filter: the arguments it takes, what it passes.
_LIVE: dict[str, tuple[tuple[str, ...], str]] = {
    "blazar": (("cdsxmatch",), "blazars of SIMBAD"),
    "early_sn_candidates": (
        (*_SN, "rf_snia_vs_nonia", "ndethist", "drb", "classtar", "objectId", *_CURVE, "cstampDatac"),
        "early supernovae Ia",
    ),
    "fast_riser_candidates": (
        ("cdsxmatch", "roid", "drb", "jd", "jdstarthist", "cjdc", "cmagpsfc", "cfidc"),
        "young and fast-rising transients",
    ),
    "first_pass_candidates": (("roid",), "first detections"),
    "kn_candidates": (
        (
            *("objectId", "rf_kn_vs_nonkn", "rf_snia_vs_nonia", "snn_snia_vs_nonia", "snn_sn_vs_all", "drb"),
            *("classtar", "jdstarthist", "ndethist", "cdsxmatch", "roid", "ra", "dec"),
            *("cjdc", "cfidc", "cmagpsfc", "csigmapsfc", "cmagnrc", "csigmagnrc", "cisdiffposc"),
        ),
        "kilonovae by the classifier",
    ),
    "magnetic_cvs": (("objectId", "isdiffpos", "ra", "dec"), "magnetic cataclysmic variables"),
    "microlensing_candidates": (("mulens",), "microlensing events"),
    "simbad_grav_candidates": (("cdsxmatch",), "gravitational lenses and black holes of SIMBAD"),
    "sn_candidates": ((*_SN, "drb", "classtar", "jd", "jdstarthist", "roid", "ndethist"), "supernovae"),
    "sso_fink_candidates": (("roid",), "unknown asteroids"),
    "sso_ztf_candidates": (("roid",), "known asteroids"),
    "tns_match": (("objectId", "ra", "dec", "jd", "jdstarthist", "tns"), "young objects of the TNS"),
    "unknowns": (
        (
            *("cdsxmatch", "roid", "mulens", "snn_snia_vs_nonia", "snn_sn_vs_all", "rf_snia_vs_nonia"),
            *("ndethist", "drb", "classtar", "jd", "jdstarthist", "rf_kn_vs_nonkn"),
        ),
        "alerts of no class",
    ),
    "vra": (("magpsf", "drb", "cdsxmatch", "roid"), "faint alerts unknown to SIMBAD"),
    "yso_candidates": (("cdsxmatch",), "young stars of SIMBAD"),
    "yso_spicy_candidates": (
        ("spicy_id", "spicy_class", "objectId", *_CURVE, "linear_fit_slope"),
        "young stars of SPICY that get brighter or fainter steadily",
    ),
}
_SCHEMA = by_place(ZTF().alert_schema)

FILTERS = tuple(
    adapted(
        name, version=VERSION, schema=_SCHEMA, names=names, description=f"fink-filters, {name}, unmodified: {passes}"
    )
    for name, (names, passes) in _LIVE.items()
)


def wanted(names: str) -> list[Entry]:
    """Return the filters a setting names, as upstream calls them.

    Parameters
    ----------
    names : str
        ``all``, or names joined by commas. One that is none becomes an entry that says so.
    """
    known = {item.name.removeprefix(PREFIX): item for item in FILTERS}
    asked = [name.strip() for name in names.split(",") if name.strip()]
    chosen = list(known) if asked == [ALL] else list(dict.fromkeys(asked))
    return [
        Entry(known[name].name, UPSTREAM, known[name]) if name in known else _unknown(name, known) for name in chosen
    ]


def _unknown(name: str, known: Iterable[str]) -> Entry:
    why = f"must be {ALL} or one of {', '.join(known)}; got {name[:60]!r}; correct FINK_FINK_FILTERS"
    return Entry(name[:60], UPSTREAM, None, why)
