"""Which catalogues the platform knows, with the radii Fink takes for ZTF (fink-broker, ``ztf/science.py``).

A new catalogue is one entry here and one module in ``science.crossmatch``. Whether its file is there is another
question, answered in ``registration``.
"""

from __future__ import annotations

from fink_dagster.catalogues.catalogue import DEGREE, Catalogue, Column
from fink_dagster.errors import unknown

POINT_ARCSEC = 1.0  # astrometry of both sides is far better
VARIABLE_ARCSEC = 1.5  # old variables were measured on plates
SPICY_ARCSEC = 1.2
EXTENDED_ARCSEC = 60.0  # error circles of gamma-ray sources, and the extent of near galaxies
# Gaia's positions at 2000 are extrapolated; those of 2016 are nearer to the alerts.
_GAIA_RA = Column(("ra", "RA_ICRS", "RAJ2000", "_RAJ2000"), "double", DEGREE)
_GAIA_DEC = Column(("dec", "DE_ICRS", "DEJ2000", "_DEJ2000"), "double", DEGREE)

_KNOWN = (
    Catalogue(
        "gcvs",
        "General Catalogue of Variable Stars (B/gcvs)",
        (Column(("VarType", "Type"), "string"),),
        VARIABLE_ARCSEC,
    ),
    Catalogue(
        "vsx",
        "International Variable Star Index of the AAVSO (B/vsx)",
        (Column(("VType", "Type"), "string"),),
        VARIABLE_ARCSEC,
    ),
    Catalogue(
        "x3hsp",
        "3HSP, high-synchrotron-peaked blazars (Chang et al. 2019)",
        (Column(("name", "3HSP Source name", "3HSP"), "string"),),
        EXTENDED_ARCSEC,
    ),
    Catalogue(
        "x4lac",
        "4LAC-DR3, active galaxies of Fermi-LAT (Ajello et al. 2022)",
        (Column(("Source_Name", "4FGL"), "string"),),
        EXTENDED_ARCSEC,
    ),
    Catalogue(
        "spicy",
        "SPICY, candidates for young stellar objects (J/ApJS/254/33)",
        (Column(("SPICY",), "int"), Column(("class",), "string")),
        SPICY_ARCSEC,
    ),
    Catalogue(
        "mangrove",
        "Mangrove, galaxies with stellar mass for follow-up (Ducoin et al. 2020)",
        (
            Column(("HyperLEDA_name",), "string", missing="None"),
            Column(("2MASS_name",), "string", missing="None"),
            Column(("lum_dist",), "double", "Mpc"),
            Column(("ang_dist",), "double", "Mpc"),
        ),
        EXTENDED_ARCSEC,
    ),
    Catalogue(
        "gaia",
        "Gaia DR3, main source (I/355/gaiadr3), or the part of it around your fields",
        (
            Column(("DR3Name",), "string"),
            Column(("Plx",), "double", "mas"),
            Column(("e_Plx",), "double", "mas"),
            Column(("VarFlag",), "string"),
        ),
        POINT_ARCSEC,
        epoch="J2016.0",
        ra=_GAIA_RA,
        dec=_GAIA_DEC,
    ),
    Catalogue(
        "gaia_classes",
        "Gaia DR3, classes of variable sources (I/358/vclassre)",
        (Column(("Class",), "string"),),
        POINT_ARCSEC,
        epoch="J2016.0",
        ra=_GAIA_RA,
        dec=_GAIA_DEC,
    ),
    Catalogue(
        "simbad",
        "SIMBAD, main object type",
        (Column(("main_type", "otype"), "string"),),
        POINT_ARCSEC,
    ),
)


def catalogues() -> list[Catalogue]:
    """Return all catalogues, by name."""
    return sorted(_KNOWN, key=lambda catalogue: catalogue.name)


def get_catalogue(name: str) -> Catalogue:
    """Return a catalogue by name.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    known = {catalogue.name: catalogue for catalogue in _KNOWN}
    if name not in known:
        raise unknown("catalogue", name, known)
    return known[name]
