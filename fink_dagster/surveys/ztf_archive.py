"""The tables ZTF's science alerts are archived in, as Fink has them.

Sources: fink-broker, ``archive_index``, ``archive_statistics`` and ``ztf/hbase_utils``. Names, contents and how row
keys begin are Fink's, so that its prefix scans find the same; columns of modules the platform does not have yet are
named all the same. What is declared by each field is said in ``archive``.
"""

from __future__ import annotations

from fink_dagster.surveys.archive import ArchiveTable, History, NightStatistics
from fink_dagster.surveys.base import Cut

KNOWN_ASTEROID = 3
"""Value of ``roid`` for an alert on an object of the Minor Planet Center."""
# One name a line would be two pages.
# fmt: off
_CANDIDATE = (
    "rcid", "chipsf", "distnr", "ra", "dec", "jd", "fid", "nid", "field", "xpos", "ypos", "rb", "ssdistnr", "ssmagnr",
    "ssnamenr", "jdstarthist", "jdendhist", "tooflag", "sgscore1", "distpsnr1", "neargaia", "maggaia", "nmtchps",
    "diffmaglim", "magpsf", "sigmapsf", "magnr", "sigmagnr", "magzpsci", "isdiffpos", "classtar", "drb", "ndethist",
)
_ADDED = (
    "DR3Name", "Plx", "e_Plx", "gaiaVarFlag", "gaiaClass", "cdsxmatch", "gcvs", "vsx", "x3hsp", "x4lac", "spicy_id",
    "spicy_class", "tns", "tracklet", "mangrove_HyperLEDA_name", "mangrove_2MASS_name", "mangrove_lum_dist",
    "mangrove_ang_dist", "anomaly_score", "mulens", "nalerthist", "rf_kn_vs_nonkn", "rf_snia_vs_nonia", "roid",
    "snn_sn_vs_all", "snn_snia_vs_nonia", "lc_features_g", "lc_features_r", "jd_first_real_det", "jdstarthist_dt",
    "mag_rate", "sigma_rate", "lower_rate", "upper_rate", "delta_time", "from_upper", "finkclass",
)
_OF_OBJECT = ("magpsf", "sigmapsf", "jd", "jdstarthist", "drb", "ra", "dec", "fid", "distnr")
# fmt: on
INDEX = ("objectId", "candid", "publisher", *(f"candidate.{name}" for name in _CANDIDATE), *_ADDED)
"""Columns of the tables that are searched for whole alerts by something else than the object."""
_CROSSMATCH = (
    *("objectId", "candid", "cdsxmatch", "nalerthist", "finkclass"),
    *(f"candidate.{name}" for name in _OF_OBJECT),
)
_LIMIT = ("objectId", "jd", "fid", "diffmaglim")
_POINT = (*_LIMIT, "candid", "magpsf", "sigmapsf", "magnr", "sigmagnr", "isdiffpos", "distnr")
_HISTORY, _MEASURED = "prv_candidates", "magpsf"

TABLES = (
    ArchiveTable(
        "pixel128",
        "objects by place: the newest alert of each, by HEALPix pixel of nside 128 and first detection",
        ("pixel128", "candidate.jdstarthist", "objectId"),
        _CROSSMATCH,
        newest_of_object=True,
    ),
    ArchiveTable("class", "alerts by what they are", ("finkclass", "candidate.jd", "objectId"), INDEX),
    ArchiveTable(
        "ssnamenr",
        "alerts on known asteroids, by their name at the Minor Planet Center",
        ("candidate.ssnamenr", "candidate.jd"),
        INDEX,
        where=(Cut("roid", "roid", "==", KNOWN_ASTEROID),),
    ),
    ArchiveTable("tracklet", "alerts of a track across one night", ("tracklet", "objectId"), INDEX),
    ArchiveTable("tns", "alerts with a name in the Transient Name Server", ("tns", "candidate.jd", "objectId"), INDEX),
    ArchiveTable(
        "upper",
        "upper limits before the alert, where the newest point of its history is one",
        ("objectId", "jd"),
        _LIMIT,
        history=History(_HISTORY, _MEASURED),
    ),
    ArchiveTable(
        "uppervalid",
        "points of an alert's history that would not have passed the cuts on quality",
        ("objectId", "jd", "candid"),
        _POINT,
        history=History(_HISTORY, _MEASURED, (Cut("rb", "rb", ">=", 0.55), Cut("nbad", "nbad", "==", 0))),
    ),
    ArchiveTable(
        "cutouts",
        "where in science_alerts the alert and its stamps are: the night and the message it came in",
        ("objectId", "candidate.jd"),
        ("objectId", "candid", "candidate.jd", "topic", "partition", "offset"),
    ),
)
STATISTICS = NightStatistics(
    where={"n_g": ("candidate.fid", 1), "n_r": ("candidate.fid", 2)},
    distinct={"exposures": "candidate.jd", "fields": "candidate.field"},
    classes="finkclass",
    simbad="cdsxmatch",
)
