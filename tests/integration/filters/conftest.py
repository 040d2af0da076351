"""The real fink-filters for the tests of its filters: its package, unpacked once into the cache; and fink-science."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fink_dagster.science.isolation import processes
from fink_dagster.settings import load_settings
from tests.integration.science.conftest import fink_science as fink_science

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.settings import Settings

_PACKAGE = "fink-filters==7.45"
_SHA256 = "608274c0a7811e716ad148c68cc0447768b19e5e4114875cbd4758306bfa1619"
_DATA = "fink_filters/data/magnetic_cataclysmic_variables.csv"


@pytest.fixture(scope="session")
def fink_filters(fink_science: Path) -> Iterator[Path]:
    """Let the package be imported, here and where filters run, and say where it is."""
    settings = load_settings()
    folder = settings.cache / _PACKAGE.replace("==", "-")
    if not folder.is_dir():
        _unpack(settings, folder)
    sys.path.insert(0, str(folder))
    # The process filters are forked from must know where it is.
    processes().close()
    yield folder
    processes().close()
    sys.path.remove(str(folder))


def _unpack(settings: Settings, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=settings.cache) as name:
        scratch = Path(name)
        wanted = scratch / "wanted.txt"
        wanted.write_text(f"{_PACKAGE} --hash=sha256:{_SHA256}\n")
        options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--require-hashes", "--dest", str(scratch)]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted)]
        subprocess.run(command, check=True, env=settings.environment())
        (wheel,) = scratch.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.endswith(".py") or name == _DATA]
            archive.extractall(scratch / "unpacked", names)
        (scratch / "unpacked").rename(folder)
