"""Where on the sky to look: the pixels a cone touches, and how far objects are from its centre.

Pixels are those the science module ``sky`` gives alerts; which rows stand in them is read by ``reader``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.errors import UserError
from fink_dagster.science import sky

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fink_dagster.hbase.tables import Table

MOST_ARCSEC = 18_000.0
"""Largest radius, as in Fink's API: 5 degrees."""
MARGIN_ARCSEC = 5.0
"""Beyond a cone, pixels are looked into as far as alerts of one object can lie apart, so that of an object whose place
moved out of the cone the newest row is seen too; it also covers rounding at the borders of pixels."""
RA, DEC = (path.rpartition(".")[2] for path in sky.MODULE.inputs)
DIVISIONS = {"pixel128": sky.COARSE, "pixel1024": sky.FINE}
"""Column of a pixel -> divisions along the side of a base pixel."""


def table_of_places(tables: Iterable[Table]) -> Table | None:
    """Return the table of objects by pixel, where there is one."""
    return next((table for table in tables if table.newest_of_object and table.key[0] in DIVISIONS), None)


def must_be_a_cone(ra: float, dec: float, radius_arcsec: float) -> None:
    """Raise UserError unless centre and radius [deg, deg, arcsec] are on the sky and the radius is not too large."""
    if not 0.0 <= ra <= 360.0 or not -90.0 <= dec <= 90.0:
        message = (
            f"cone: the centre must be within 0 to 360 and -90 to 90 degrees; got {ra:g}, {dec:g}; "
            "for example 193.8217409 2.8973184"
        )
        raise UserError(message)
    if not 0.0 < radius_arcsec <= MOST_ARCSEC:
        message = (
            f"cone: the radius must be above 0 and at most {MOST_ARCSEC:g} arcsec; got {radius_arcsec:g} arcsec; "
            "for example 5arcsec"
        )
        raise UserError(message)


def pixels_in(ra: float, dec: float, radius_arcsec: float, divisions: int) -> list[int]:
    """Return all HEALPix pixels (RING) that a cone touches, and perhaps a few around it, in rising order.

    Parameters
    ----------
    ra, dec : float
        Centre, ICRS [deg].
    radius_arcsec : float
        Radius [arcsec].
    divisions : int
        HEALPix nside, a power of two.
    """
    from astropy import units
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix import to_ring
    from cdshealpix.nested import cone_search

    depth = divisions.bit_length() - 1
    radius = (radius_arcsec + MARGIN_ARCSEC) * units.arcsec
    nested, _, _ = cone_search(Longitude(ra, unit="deg"), Latitude(dec, unit="deg"), radius, depth, flat=True)
    return sorted(int(pixel) for pixel in to_ring(nested, depth))


def separations_arcsec(ra: float, dec: float, to_ra: np.ndarray, to_dec: np.ndarray) -> np.ndarray:
    """Return great-circle distances [arcsec] of places from a centre, all in degrees; right at any distance."""
    from astropy.coordinates import angular_separation

    angles = angular_separation(*(np.deg2rad(angle) for angle in (ra, dec, to_ra, to_dec)))
    return np.asarray(np.rad2deg(angles) * 3600.0)
