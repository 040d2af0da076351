"""Cross-matches: what catalogues on this machine say of the nearest source to an alert, one module per catalogue.

The columns are Fink's (fink-science, ``ztf/xmatch``; radii of fink-broker), the search is ``catalogues.index``'s. What
a cell means:

- a label (``gcvs``, ``vsx``, ``x3hsp``, ``x4lac``, ``spicy_class``, ``gaiaClass``, ``DR3Name``, ``cdsxmatch``) is
  ``Unknown`` where the catalogue was searched and gives none, which is what classification and filters ask for;
- every other value is null there, where upstream has -1, 0, or the texts "None" and "nan";
- all are null where nothing was searched: the alert has no position, or the catalogue is not there. The second is said
  by the code ``no_catalogue``, never by a label: upstream's "Fail" passes filters as if it were an object type.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_dagster.catalogues.index import has_position, nearest
from fink_dagster.catalogues.known import get_catalogue
from fink_dagster.catalogues.registration import open_index, register
from fink_dagster.errors import FinkError
from fink_dagster.science.columns import numbers
from fink_dagster.science.module import NO_CATALOGUE, PANDAS_TYPES, Module, Output, Unavailable
from fink_dagster.science.simbad import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.catalogues.index import Index

REFUSED = "refused_catalogue"
_VARIABLE = ("VARIABLE", "1")  # Gaia's phot_variable_flag, as text or as a flag; others say constant or not known


@dataclass(frozen=True)
class Given:
    """A column of a match: where in the catalogue it comes from, and what it is without a source.

    Parameters
    ----------
    output : Output
        The column.
    column : str
        Name in the catalogue.
    label : bool
        Whether it is ``Unknown`` without a source.
    flag : bool
        Whether it is 1 or 0, for variable or not.
    """

    output: Output
    column: str
    label: bool = False
    flag: bool = False


@dataclass(frozen=True)
class CrossMatch:
    """The function of a cross-match: alerts' positions in, what the catalogue says of the nearest source out.

    It travels to workers as names alone; each maps the index into memory when first asked.

    Parameters
    ----------
    catalogue : str
        Name of the catalogue.
    given : tuple of Given
        What it gives.
    index : str
        File of its index; empty when the catalogue is not there.
    refused : str
        Why its file was not taken.
    """

    catalogue: str
    given: tuple[Given, ...]
    index: str = ""
    refused: str = ""

    def __call__(self, ra: pd.Series, dec: pd.Series) -> pd.DataFrame:
        """Return a column per output.

        Parameters
        ----------
        ra, dec : Series
            Positions of the alerts [deg, ICRS].

        Raises
        ------
        Unavailable
            When the catalogue is not there, or was refused.
        """
        index = self._opened()
        alpha, delta = numbers(ra), numbers(dec)
        found = nearest(index, alpha, delta, get_catalogue(self.catalogue).radius_arcsec).rows
        searched = has_position(alpha, delta)
        return pd.DataFrame({item.output.name: _cells(item, index, found, searched) for item in self.given})

    def _opened(self) -> Index:
        if self.refused:
            raise Unavailable(REFUSED, self.refused)
        if not self.index:
            raise Unavailable(NO_CATALOGUE, f"catalogue {self.catalogue} is not in the folder of catalogues")
        try:
            return open_index(Path(self.index))
        except (OSError, pa.ArrowException) as error:
            text = f"the index of catalogue {self.catalogue} cannot be opened: {error}"
            raise Unavailable(REFUSED, text) from None


def with_catalogues(modules: Sequence[Module], folder: Path, indexes: Path) -> list[Module]:
    """Give the cross-matches among some modules the catalogues that are there; the others are left as they are.

    Called where a run begins, by who knows the settings: all workers of the run then use the same indexes, whatever
    becomes of the files. The module's version tells the file it ran with, as ``1+5f3c0a9e``. A file that is refused
    costs its own columns, and ``fink-dagster catalogues list`` says why.

    Parameters
    ----------
    modules : sequence of Module
        Any modules.
    folder : Path
        Where catalogues' files are.
    indexes : Path
        Where their indexes are kept.
    """
    return [_with(module, folder, indexes) for module in modules]


def _with(module: Module, folder: Path, indexes: Path) -> Module:
    match = module.function
    if not isinstance(match, CrossMatch):
        return module
    try:
        found = register(match.catalogue, folder, indexes)
    except FinkError as error:
        return replace(module, function=replace(match, refused=str(error)))
    if found is None:
        return module
    version = f"{module.version}+{found.fingerprint}"
    return replace(module, function=replace(match, index=str(found.index)), version=version)


def _cells(item: Given, index: Index, rows: np.ndarray, searched: np.ndarray) -> pd.Series:
    cells = np.full(len(rows), pd.NA, dtype=object)
    if item.label:
        cells[searched] = UNKNOWN
    matched = rows >= 0
    if matched.any():
        said = np.array(index.columns.column(item.column).take(rows[matched]).to_pylist(), dtype=object)
        known = np.array([value is not None for value in said], dtype=bool)
        if item.flag:
            said = np.array([int(value in _VARIABLE) for value in said], dtype=object)
        cells[np.flatnonzero(matched)[known]] = said[known]
    kind: Any = PANDAS_TYPES[item.output.type]
    return pd.Series(cells, dtype=kind)


def _label(output: str, column: str, meaning: str) -> Given:
    return Given(Output(output, "string", "", meaning), column, label=True)


def _module(catalogue: str, *given: Given) -> Module:
    return Module(
        name=catalogue,
        version="1",
        inputs=("candidate.ra", "candidate.dec"),
        outputs=tuple(item.output for item in given),
        function=CrossMatch(catalogue, given),
    )


MODULES = (
    _module("gcvs", _label("gcvs", "VarType", "Type of variability in the GCVS within 1.5 arcsec")),
    _module("vsx", _label("vsx", "VType", "Type of variability in the VSX within 1.5 arcsec")),
    _module("x3hsp", _label("x3hsp", "name", "Name of the 3HSP blazar within 60 arcsec")),
    _module("x4lac", _label("x4lac", "Source_Name", "Name of the 4LAC-DR3 active galaxy within 60 arcsec")),
    _module(
        "spicy",
        Given(Output("spicy_id", "int", "", "Number in SPICY of the young star candidate within 1.2 arcsec"), "SPICY"),
        _label("spicy_class", "class", "Class of that candidate: ClassI, FS, ClassII, ClassIII, uncertain"),
    ),
    _module(
        "mangrove",
        Given(
            Output("mangrove_HyperLEDA_name", "string", "", "HyperLEDA name of the Mangrove galaxy within 60 arcsec"),
            "HyperLEDA_name",
        ),
        Given(Output("mangrove_2MASS_name", "string", "", "2MASS name of that galaxy"), "2MASS_name"),
        Given(Output("mangrove_lum_dist", "double", "Mpc", "Luminosity distance of that galaxy"), "lum_dist"),
        Given(
            Output("mangrove_ang_dist", "double", "Mpc", "Angular diameter distance of that galaxy"),
            "ang_dist",
        ),
    ),
    _module(
        "gaia",
        _label("DR3Name", "DR3Name", "Gaia DR3 name of the source within 1 arcsec"),
        Given(Output("Plx", "float", "mas", "Parallax of that source"), "Plx"),
        Given(Output("e_Plx", "float", "mas", "Standard error of that parallax"), "e_Plx"),
        Given(Output("gaiaVarFlag", "int", "", "1 when Gaia found that source variable, else 0"), "VarFlag", flag=True),
    ),
    _module("gaia_classes", _label("gaiaClass", "Class", "Class of the Gaia DR3 variable within 1 arcsec")),
    _module("simbad", _label("cdsxmatch", "main_type", "Main type of the SIMBAD object within 1 arcsec")),
)
