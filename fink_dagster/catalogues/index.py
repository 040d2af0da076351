"""The nearest source of a catalogue, looked for from the alert: a sorted list of HEALPix cells and binary search.

Each alert is answered by itself, so that no answer depends on which alerts came together. Upstream looks from the
catalogue for the nearest alert, and of two alerts on one source in a batch only one is told of it (fink-science,
``ztf/xmatch``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

CELL_DEPTH = 29  # the finest there is, 0.4 mas: one index serves every radius
# Opposite edges of a cell of depth n are nowhere closer than this / 2^n [rad], so that a disc of that radius lies in
# the cell of its centre and the eight around it.
NARROWEST_CELL_RADIAN = 0.69
NOTHING = -1
_THREADS = 1  # Spark already runs a process per core


@dataclass(frozen=True)
class Index:
    """A catalogue's sources in the order of their cells.

    Parameters
    ----------
    cells : array of int64
        Nested HEALPix numbers at depth 29, ascending.
    ra, dec : arrays of float64
        Positions in that order [deg, ICRS].
    columns : pyarrow.Table
        What the catalogue says of them, in that order.
    """

    cells: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    columns: Any = None

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Nearest:
    """For each alert the nearest source.

    Parameters
    ----------
    rows : array of int64
        Its row in the index, -1 where none is within the radius.
    distance_arcsec : array of float64
        How far it is [arcsec], NaN where there is none.
    """

    rows: np.ndarray
    distance_arcsec: np.ndarray


def cells_of(ra: np.ndarray, dec: np.ndarray, depth: int = CELL_DEPTH) -> np.ndarray:
    """Return the nested HEALPix numbers (int64) of positions [deg]."""
    # Half a second to import, which whoever only asks for the list of modules need not wait for.
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import lonlat_to_healpix

    numbers = lonlat_to_healpix(Longitude(ra, unit="deg"), Latitude(dec, unit="deg"), depth, num_threads=_THREADS)
    cells: np.ndarray = numbers.astype(np.int64)
    return cells


def has_position(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return where a position is one: finite, and the declination between the poles."""
    there: np.ndarray = np.isfinite(ra) & (np.abs(dec) <= 90.0)
    return there


def nearest(index: Index, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> Nearest:
    """Find the nearest source within a radius, for each alert alone; of two equally near the first in the index.

    Parameters
    ----------
    index : Index
        The catalogue.
    ra, dec : arrays of float64
        Positions of the alerts [deg, ICRS]; one without a position finds nothing.
    radius_arcsec : float
        Largest distance that counts [arcsec].
    """
    rows = np.full(len(ra), NOTHING, dtype=np.int64)
    distances = np.full(len(ra), np.nan)
    asked = np.flatnonzero(has_position(ra, dec))
    if len(asked) == 0 or len(index) == 0:
        return Nearest(rows, distances)
    who, candidates = _candidates(index.cells, ra[asked], dec[asked], radius_arcsec)
    who = asked[who]
    far = separation_arcsec(ra[who], dec[who], index.ra[candidates], index.dec[candidates])
    best = np.lexsort((candidates, far, who))
    best = best[far[best] <= radius_arcsec]
    _, first = np.unique(who[best], return_index=True)
    best = best[first]
    rows[who[best]], distances[who[best]] = candidates[best], far[best]
    return Nearest(rows, distances)


def separation_arcsec(ra1: np.ndarray, dec1: np.ndarray, ra2: np.ndarray, dec2: np.ndarray) -> np.ndarray:
    """Return the angle between positions [deg -> arcsec] by the haversine formula, exact where angles are small.

    The difference of right ascensions is brought into -180..180 before, for a sine near 180 deg has lost digits.
    """
    half_ra = np.radians(np.remainder(ra2 - ra1 + 180.0, 360.0) - 180.0) / 2.0
    half_dec = np.radians(dec2 - dec1) / 2.0
    across = np.cos(np.radians(dec1)) * np.cos(np.radians(dec2)) * np.sin(half_ra) ** 2
    chord = np.sqrt(np.clip(np.sin(half_dec) ** 2 + across, 0.0, 1.0))
    angle: np.ndarray = np.degrees(2.0 * np.arcsin(chord)) * 3600.0
    return angle


def _candidates(
    cells: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of an alert and a source in the nine cells around it."""
    from cdshealpix.nested import neighbours

    depth = _depth(radius_arcsec)
    around = neighbours(cells_of(ra, dec, depth), depth, num_threads=_THREADS)
    who = np.repeat(np.arange(len(ra)), around.shape[1])
    wanted = around.ravel()
    there = wanted >= 0  # a cell at a corner of a base cell has seven neighbours
    who, wanted = who[there], wanted[there]
    finer = 2 * (CELL_DEPTH - depth)
    first = np.searchsorted(cells, wanted << finer)
    inhabited = np.flatnonzero(cells[np.minimum(first, len(cells) - 1)] >> finer == wanted)
    who, first = who[inhabited], first[inhabited]
    number = np.searchsorted(cells, (wanted[inhabited] + 1) << finer) - first
    return np.repeat(who, number), _ranges(first, number)


def _depth(radius_arcsec: float) -> int:
    fitting = np.log2(NARROWEST_CELL_RADIAN / np.radians(radius_arcsec / 3600.0))
    return int(np.clip(np.floor(fitting), 0, CELL_DEPTH))


def _ranges(first: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return first, first + 1, ... for each, ``number`` of them, one after the other."""
    begins = np.cumsum(number) - number
    rows: np.ndarray = np.arange(int(number.sum())) + np.repeat(first - begins, number)
    return rows
