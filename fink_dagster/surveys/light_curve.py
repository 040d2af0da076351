"""What a survey declares of its light curves: which columns of the archive hold them, and what its bands are called.

Declarations alone; drawing is an affair of those who draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class LightCurve:
    """Columns by their flat names.

    Parameters
    ----------
    mjd_zero : float
        What is taken from the alert's time to have MJD [d].
    scale : str
        Time scale.
    band : str
        Column of the filter.
    bands : mapping
        Value of ``band`` -> name of the filter.
    magnitude, error : str
        Columns of the measurement and of its error [mag].
    limit : str
        Column of the upper limit, where nothing was measured [mag].
    sign : str
        Column that says whether the difference is positive.
    negative : tuple of str
        Its values where the source is fainter than in the reference image.
    """

    mjd_zero: float
    scale: str
    band: str
    bands: Mapping[int, str]
    magnitude: str
    error: str
    limit: str
    sign: str
    negative: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns it is made of, but for the time."""
        return (self.band, self.magnitude, self.error, self.limit, self.sign)


@runtime_checkable
class HasLightCurves(Protocol):
    """A survey whose archive holds light curves in magnitudes."""

    light_curve: LightCurve
