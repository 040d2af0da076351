"""SIMBAD's object types, as far as Fink's rules speak of them.

Names of types only; which alert has which type is the cross-match's, what follows from it is said where it is used.
The lists are those of fink-utils (``xmatch/simbad.py``) and of fink-filters' ``filter_simbad_candidates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

UNKNOWN = "Unknown"
"""What a search that found nothing gives."""

GALAXIES = frozenset(
    [
        "galaxy",
        "Galaxy",
        "EmG",
        "Seyfert",
        "Seyfert_1",
        "Seyfert_2",
        "BlueCompG",
        "StarburstG",
        "LSB_G",
        "HII_G",
        "High_z_G",
        "GinPair",
        "GinGroup",
        "BClG",
        "GinCl",
        "PartofG",
        "Compact_Gr_G",
        "IG",
        "PairG",
        "GroupG",
        "ClG",
        "SuperClG",
        "Void",
    ]
)
TRANSIENTS = frozenset({"Candidate_SN*", "SN*_Candidate", "SN", "Transient"})
_NO_LABEL = ("Fail", "Galaxy")
"""How types begin that say nothing of what varied: upstream's failures, and galaxies as a whole."""


def may_host(types: pd.Series) -> np.ndarray:
    """Tell where a supernova could be: no known object there, or an extragalactic one.

    Where SIMBAD was not searched (null) there may be a host, as upstream decides for its failed searches.
    """
    possible: np.ndarray = (types.isin({UNKNOWN, *GALAXIES, *TRANSIENTS}) | types.isna()).to_numpy(dtype=bool)
    return possible


def is_label(types: pd.Series) -> np.ndarray:
    """Tell which types name what was seen: found, and neither a transient in general nor a galaxy."""
    found = types.notna() & ~types.isin({UNKNOWN, "Transient"})
    label: np.ndarray = (found & ~types.fillna("").str.startswith(_NO_LABEL)).to_numpy(dtype=bool)
    return label
