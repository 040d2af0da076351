"""The real fink-science for the tests of its processors: its source package, unpacked once into the cache."""

from __future__ import annotations

import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fink_dagster.catalogues.fetch import PACKAGE, download, must_be_the_package
from fink_dagster.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.settings import Settings

_FOLDER = PACKAGE.replace("==", "-")
_MODELS = "fink_science/data/models/anomaly_detection"
_WANTED = (
    f"{_MODELS}/",
    "fink_science/data/catalogs/CTAO_blazars_ztf_dr22.parquet",
    "fink_science/data/alerts/20240606_iband_history.parquet",
    "fink_science/data/alerts/CTAO_blazar_datatest_v20-12-24.parquet",
    "fink_science/data/alerts/alerts.parquet",
)


@pytest.fixture(scope="session")
def fink_science() -> Iterator[Path]:
    """Let the package be imported, and say where it is: its code, some real alerts, and what six processors read."""
    settings = load_settings()
    folder = settings.cache / _FOLDER
    if not folder.is_dir():
        settings.cache.mkdir(parents=True, exist_ok=True)
        _unpack(settings, folder)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def _unpack(settings: Settings, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=settings.cache) as name:
        scratch = Path(name)
        sdist = download(scratch, settings.environment())
        must_be_the_package(sdist)
        with tarfile.open(sdist) as archive:
            archive.extractall(scratch, members=filter(_is_wanted, archive), filter="data")
        # Where models lie beside their archives, nothing is unpacked into /tmp.
        for models in (scratch / _FOLDER / _MODELS).glob("*.zip"):
            with zipfile.ZipFile(models) as archive:
                archive.extractall(models.parent)
        (scratch / _FOLDER).rename(folder)


def _is_wanted(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix(f"{_FOLDER}/")
    return member.isfile() and (name.endswith(".py") or name.startswith(_WANTED))
