"""``sky``: where an alert is, in the frames and pixels that filters and searches ask for.

Functions of the coordinates alone; no catalogue is looked at. Pixels are HEALPix in the RING scheme, the numbering of
Fink's index tables (fink-broker, ``ang2pix``, which leaves healpy its default).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fink_dagster.science.columns import numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    from pandas.arrays import FloatingArray, IntegerArray

COARSE, FINE = 128, 1024
"""Divisions of Fink's index tables for ZTF and for Rubin: pixels 27 and 3.4 arcmin wide."""


def galactic_latitudes(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the angles of ICRS coordinates from the plane of the Galaxy, all in degrees."""
    return _latitudes(ra, dec, _north("Galactic"))


def ecliptic_latitudes(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the angles of ICRS coordinates from the mean ecliptic of J2000, seen from the barycentre, in degrees."""
    return _latitudes(ra, dec, _north("BarycentricMeanEcliptic"))


def _latitudes(ra: np.ndarray, dec: np.ndarray, north: np.ndarray) -> np.ndarray:
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    height = np.cos(d) * (np.cos(a) * north[0] + np.sin(a) * north[1]) + np.sin(d) * north[2]
    return np.rad2deg(np.arcsin(np.clip(height, -1.0, 1.0)))


@cache
def _north(frame: str) -> np.ndarray:
    """Return the ICRS direction of the north pole of a frame of astropy.

    Both frames are no more than turned against ICRS, so that one direction says all about their latitudes; to have
    astropy turn every batch would cost it some 10 ms.
    """
    # Half a second to import, which whoever only asks for the list of modules need not wait for.
    from astropy import coordinates

    pole = coordinates.SkyCoord(0.0, 90.0, unit="deg", frame=getattr(coordinates, frame)())
    direction: np.ndarray = pole.icrs.cartesian.xyz.value
    return direction


def pixels(ra: np.ndarray, dec: np.ndarray, nside: int) -> np.ndarray:
    """Return the HEALPix pixels (RING) of ICRS coordinates [deg].

    Parameters
    ----------
    ra, dec : arrays of float
        On the sky: no NaN, declinations within 90 degrees.
    nside : int
        Divisions along the side of a base pixel, a power of two up to 8192.

    Returns
    -------
    array of int32
    """
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.ring import lonlat_to_healpix

    # One thread: the machine's cores are shared out already by who calls.
    found = lonlat_to_healpix(Longitude(ra, unit="deg"), Latitude(dec, unit="deg"), nside, num_threads=1)
    return np.asarray(found, dtype=np.int32)


def _columns(ra_column: pd.Series, dec_column: pd.Series) -> pd.DataFrame:
    ra, dec = numbers(ra_column), numbers(dec_column)
    on_sky = (ra >= 0.0) & (ra <= 360.0) & (np.abs(dec) <= 90.0)
    ra, dec = ra[on_sky], dec[on_sky]
    columns = {
        "galactic_latitude": galactic_latitudes(ra, dec),
        "ecliptic_latitude": ecliptic_latitudes(ra, dec),
        "pixel128": pixels(ra, dec, COARSE),
        "pixel1024": pixels(ra, dec, FINE),
    }
    return pd.DataFrame({name: _spread(values, on_sky) for name, values in columns.items()})


def _spread(values: np.ndarray, where: np.ndarray) -> FloatingArray | IntegerArray:
    """Return a nullable column with these values at some places, null elsewhere."""
    data = np.zeros(len(where), dtype=values.dtype)
    data[where] = values
    kind = pd.arrays.IntegerArray if data.dtype == np.int32 else pd.arrays.FloatingArray
    return kind(data, ~where)


MODULE = Module(
    name="sky",
    version="1",
    inputs=("candidate.ra", "candidate.dec"),
    outputs=(
        Output("galactic_latitude", "double", "deg", "Angle from the plane of the Galaxy, north positive"),
        Output("ecliptic_latitude", "double", "deg", "Angle from the mean ecliptic of J2000, north positive"),
        Output("pixel128", "int", "", "HEALPix pixel of nside 128, RING scheme"),
        Output("pixel1024", "int", "", "HEALPix pixel of nside 1024, RING scheme"),
    ),
    function=_columns,
)
