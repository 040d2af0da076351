"""What all tests share: free ports, the packets. Servers are started in ``integration/conftest.py``."""

from __future__ import annotations

import socket
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fink_dagster.filters import registry as filters
from fink_dagster.local.samples import ensure_samples
from fink_dagster.science import registry
from fink_dagster.settings import load_settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("fink", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fink")
SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "ztf"


def free_ports(number: int) -> list[int]:
    """Return ports nobody listens on; held until all are found, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def packets_in(tarball: Path) -> list[bytes]:
    """Return the packets of a survey tarball in its order."""
    with tarfile.open(tarball) as tar:
        files = [tar.extractfile(member) for member in tar]
        return [file.read() for file in files if file is not None]


@pytest.fixture(scope="session")
def sample_tarball() -> Path:
    """The newcomer's 30 packets of 2018-08-19."""
    return ensure_samples(load_settings())


@pytest.fixture(scope="session")
def packets(sample_tarball: Path) -> list[bytes]:
    """The same, as bytes."""
    return packets_in(sample_tarball)


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder of science modules of one's own, looked into when the platform next asks after ``registry.reload``."""
    folder = tmp_path / "own_modules"
    folder.mkdir()
    monkeypatch.setenv("FINK_SCIENCE_MODULES", str(folder))
    registry.reload()
    yield folder
    registry.reload()


@pytest.fixture
def own_filters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder of filters of one's own, looked into when the platform next asks after ``reload`` of their registry."""
    folder = tmp_path / "own_filters"
    folder.mkdir()
    monkeypatch.setenv("FINK_FILTERS", str(folder))
    filters.reload()
    yield folder
    filters.reload()
