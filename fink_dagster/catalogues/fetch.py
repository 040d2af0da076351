"""The catalogues that travel with fink-science, taken out of its source package.

The package comes from PyPI, so that pip's own configuration decides where from. Files that are in the folder already
are never touched: they may be newer. Reading and checking is ``registration``'s.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from fink_dagster.catalogues.registration import find
from fink_dagster.errors import OperationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PACKAGE = "fink-science==7.4.0"
PACKAGE_BYTES = 92_064_920
SHA256 = "cd4bdd43d405746ef73e5d515274f2c2d75c6c417c0949196a11fb1e704653c9"
_INSIDE = "fink-science-7.4.0/fink_science/data/catalogs/"


def absent(folder: Path) -> list[str]:
    """Return which of the package's catalogues the folder has no file of."""
    return [name for name in _PARTS if find(name, folder) is None]


def download(scratch: Path, environment: Mapping[str, str]) -> Path:
    """Have pip put the package into a folder, and return it.

    Parameters
    ----------
    scratch : Path
        Folder for the package and all that pip needs meanwhile, so that one can see it grow.
    environment : mapping
        Variables pip runs with.

    Raises
    ------
    TransientError
        When the package index does not give it.
    OperationError
        When it gives another file than expected.
    """
    wanted = scratch / "wanted.txt"
    # pip compares before it looks into the package, whose setup it runs to learn its name.
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    options = ("--no-deps", "--no-binary", "fink-science", "--quiet", "--require-hashes", "--dest", str(scratch))
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)]
    variables = {**environment, "TMPDIR": str(scratch)}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=variables
    )
    files = list(scratch.glob("*.tar.gz"))
    if "DO NOT MATCH THE HASHES" in done.stdout:
        way_out = "ask who runs your package index, then try again"
        message = f"catalogues: {PACKAGE} must have sha256 {SHA256[:12]}…; the index gives another file; {way_out}"
        raise OperationError(message)
    if done.returncode != 0 or not files:
        said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        message = f"catalogues: pip must fetch {PACKAGE}; got {said}; look at the network and try again"
        raise TransientError(message)
    return files[0]


def must_be_the_package(sdist: Path, sha256: str = SHA256) -> None:
    """Compare a file with the package.

    Raises
    ------
    OperationError
        When it is another one.
    """
    try:
        with sdist.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"catalogues: {sdist.name} must be {PACKAGE}; got {error.strerror}; name the .tar.gz of it"
        raise OperationError(message) from None
    if got != sha256:
        message = (
            f"catalogues: {sdist.name} must have sha256 {sha256[:12]}…; got {got[:12]}; "
            f"take the .tar.gz of {PACKAGE} itself"
        )
        raise OperationError(message)


def take_out(sdist: Path, names: Sequence[str], folder: Path, scratch: Path) -> None:
    """Write catalogues of the package into a folder, each whole or not at all.

    Parameters
    ----------
    sdist : Path
        The package.
    names : sequence of str
        Which catalogues.
    folder : Path
        Where to.
    scratch : Path
        Folder on the same disk.
    """
    wanted = {_INSIDE + member: member for name in names for member in _PARTS[name][0]}
    with tarfile.open(sdist) as archive:
        for item in archive:
            source = archive.extractfile(item) if item.name in wanted else None
            if source is not None:
                with source, (scratch / wanted[item.name]).open("wb") as target:
                    shutil.copyfileobj(source, target)
    for name in names:
        members, converted = _PARTS[name]
        os.replace(converted([scratch / member for member in members], scratch), folder / f"{name}.parquet")


def _as_it_is(members: Sequence[Path], scratch: Path) -> Path:
    return members[0]


def _from_3hsp(members: Sequence[Path], scratch: Path) -> Path:
    from astropy.coordinates import Angle

    with members[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    texts = {key.strip(): [row[key].strip().strip('"').strip() for row in rows] for key in rows[0]}
    ra, dec = Angle(texts["R.A."], unit="hourangle").degree, Angle(texts["Dec"], unit="deg").degree
    return _written(scratch / "x3hsp.converted", {"ra": ra, "dec": dec, "name": texts["3HSP Source name"]})


def _from_4lac(members: Sequence[Path], scratch: Path) -> Path:
    from astropy.table import Table

    columns: dict[str, list[object]] = {"RAJ2000": [], "DEJ2000": [], "Source_Name": []}
    for member in members:  # high and low galactic latitudes
        table = Table.read(member, format="fits", hdu=1)
        for name, cells in columns.items():
            cells += [cell.decode() if isinstance(cell, bytes) else cell for cell in table[name].tolist()]
    return _written(scratch / "x4lac.converted", columns)


def _written(path: Path, columns: Mapping[str, object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


_PARTS: dict[str, tuple[tuple[str, ...], Callable[[Sequence[Path], Path], Path]]] = {
    "gcvs": (("gcvs.parquet",), _as_it_is),
    "mangrove": (("mangrove_filtered.parquet",), _as_it_is),
    "vsx": (("vsx.parquet",), _as_it_is),
    "x3hsp": (("3hsp.csv",), _from_3hsp),
    "x4lac": (("table-4LAC-DR3-h.fits", "table-4LAC-DR3-l.fits"), _from_4lac),
}
