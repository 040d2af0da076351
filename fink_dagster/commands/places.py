"""Places on the sky as they are typed: degrees or sexagesimal, a radius with or without its unit."""

from __future__ import annotations

from fink_dagster.errors import UserError

_LONGEST = 40


def right_ascension(text: str) -> float:
    """Return a right ascension [deg] from degrees, or from hours as ``10:20:30`` or ``10h20m30s``.

    Raises
    ------
    UserError
        When the text is neither.
    """
    return _degrees(text, "hourangle", "right ascension must be degrees, or hours as 10:20:30 or 10h20m30s")


def declination(text: str) -> float:
    """Return a declination [deg] from degrees, or from degrees as ``-12:34:56`` or ``-12d34m56s``.

    Raises
    ------
    UserError
        When the text is neither.
    """
    return _degrees(text, "deg", "declination must be degrees, or as -12:34:56 or -12d34m56s")


def radius_arcsec(text: str) -> float:
    """Return a radius [arcsec] from a number of arcsec, or from a number and its unit as ``2arcmin``.

    Raises
    ------
    UserError
        When the text is neither.
    """
    return _degrees(text, "arcsec", "radius must be arcsec, or a number with a unit as 2arcmin", plain=1 / 3600) * 3600


def _degrees(text: str, unit: str, wanted: str, plain: float = 1.0) -> float:
    """Return an angle; a plain number is of degrees, or of what ``plain`` says in degrees."""
    try:
        return float(text) * plain
    except ValueError:
        pass
    from astropy.coordinates import Angle

    try:
        if len(text) <= _LONGEST:
            return float(Angle(text, unit=unit).deg)
    except (ValueError, TypeError):  # of which astropy's errors of units and of angles are kinds
        pass
    raise UserError(f"cone: {wanted}; got {text[:_LONGEST]!r}; correct it")
