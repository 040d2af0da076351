"""What a catalogue is: a name, columns with units, a radius, and the epoch of its positions.

The declarations only; which catalogues exist is said in ``known``, how their files are read in ``reading``.
"""

from __future__ import annotations

from dataclasses import dataclass

DEGREE = "deg"


@dataclass(frozen=True)
class Column:
    """One column a catalogue's file must have.

    Parameters
    ----------
    names : tuple of str
        The name here, then the others it goes by elsewhere; case does not matter.
    type : str
        ``string``, ``int`` or ``double``.
    unit : str
        Unit as astropy writes it; a file that states another is refused. Empty for none.
    missing : str
        Text the catalogue has where it has nothing; an empty text always means that.
    """

    names: tuple[str, ...]
    type: str
    unit: str = ""
    missing: str = ""

    @property
    def name(self) -> str:
        """The name in the index."""
        return self.names[0]


@dataclass(frozen=True)
class Catalogue:
    """A catalogue an alert can be compared with.

    Parameters
    ----------
    name : str
        Lower-case name; its file is called so, whatever follows the dot.
    title : str
        What it is and where it is published, in one line.
    columns : tuple of Column
        What a match gives.
    radius_arcsec : float
        Farthest distance at which a source counts as the alert's [arcsec].
    epoch : str
        Epoch of the positions, which are ICRS. No proper motion is applied: a star with 50 mas/yr has moved by
        1 arcsec in 20 years.
    ra, dec : Column
        Right ascension and declination [deg].
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    radius_arcsec: float
    epoch: str = "J2000.0"
    ra: Column = Column(("ra", "RAJ2000", "_RAJ2000", "RA_ICRS", "RAdeg"), "double", DEGREE)
    dec: Column = Column(("dec", "DEJ2000", "_DEJ2000", "DE_ICRS", "DEdeg"), "double", DEGREE)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Position and all."""
        return (self.ra, self.dec, *self.columns)
