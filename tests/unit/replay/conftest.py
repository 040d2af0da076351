"""Packets, tarballs and surveys made by hand: nothing here needs a server or real alerts."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import fastavro
import pytest

SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [
        {"name": "objectId", "type": "string"},
        {"name": "candid", "type": "long"},
        {
            "name": "candidate",
            "type": {"type": "record", "name": "candidate", "fields": [{"name": "jd", "type": ["null", "double"]}]},
        },
    ],
}


def container(jd: float | None, candid: int = 1) -> bytes:
    """Write one alert as ZTF sends it."""
    out = io.BytesIO()
    alert = {"objectId": "ZTF18aaaaaaa", "candid": candid, "candidate": {"jd": jd}}
    fastavro.writer(out, SCHEMA, [alert], sync_marker=b"sixteen bytes of")
    return out.getvalue()


@pytest.fixture
def packet_bytes() -> Callable[..., bytes]:
    return container


@pytest.fixture
def make_tarball(tmp_path: Path) -> Callable[..., Path]:
    def make(members: Iterable[tuple[str, bytes] | tarfile.TarInfo], name: str = "ztf_public_20180819.tar.gz") -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w:gz") as tar:
            for member in members:
                if isinstance(member, tarfile.TarInfo):
                    tar.addfile(member)
                    continue
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
        return path

    return make
