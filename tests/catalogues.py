"""Tiny catalogues, in every format a file may have; for tests that put them together themselves."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.table import Table

GCVS = {"ra": [10.0, 20.0, 359.9], "dec": [1.0, -45.0, 89.0], "VarType": ["RRAB ", "", "EA/SD"]}
MANGROVE = {
    "ra": [10.0, 20.0],
    "dec": [1.0, -45.0],
    "HyperLEDA_name": ["NGC5055", "0012"],
    "2MASS_name": ["None", "13154932+4201454"],
    "lum_dist": [8.5, float("nan")],
    "ang_dist": [8.4, 120.0],
}


def written(path: Path, columns: dict[str, Any], units: dict[str, str] | None = None) -> Path:
    """Write a table in the format its name asks for."""
    if path.suffix == ".parquet":
        fields = [
            pa.field(name, pa.array(cells).type, metadata={"unit": (units or {}).get(name, "")})
            for name, cells in columns.items()
        ]
        pq.write_table(pa.table(columns, schema=pa.schema(fields)), path)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(pa.table(columns), path)
    else:
        table = Table(columns, units=units)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name that begins with a digit is no XML identifier
            table.write(path, format="fits" if path.suffix == ".fits" else "votable")
    return path
