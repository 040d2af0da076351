"""Tarballs, folders and files: what is read from them, and what is refused before anything is sent."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fink_dagster.errors import FinkError, OperationError, UserError
from fink_dagster.replay import packet as packets_module
from fink_dagster.replay.sources import open_source, source_bytes

THREE = [("11.avro", b"first"), ("7.avro", b""), ("11.avro", b"first")]
Make = Callable[..., Path]


def test_a_tarball_gives_its_packets_in_its_own_order_with_natural_duplicates(make_tarball: Make):
    path = make_tarball(THREE)
    source = open_source(path)
    assert [(packet.position, packet.name, packet.data) for packet in source.packets()] == [
        (0, "11.avro", b"first"),
        (1, "7.avro", b""),
        (2, "11.avro", b"first"),
    ]
    assert (source.name, source.total) == (path.name, 3)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_source_can_be_read_twice(make_tarball: Make):
    source = open_source(make_tarball(THREE))
    assert list(source.packets()) == list(source.packets())


@given(contents=st.lists(st.binary(max_size=3000), min_size=1, max_size=20))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_out_of_a_tarball_as_they_went_in(make_tarball: Make, contents: list[bytes]):
    source = open_source(make_tarball([(f"{number}.avro", data) for number, data in enumerate(contents)]))
    assert [packet.data for packet in source.packets()] == contents


@pytest.mark.parametrize(
    "name",
    [
        "../1.avro",
        "/etc/1.avro",
        "folder/1.avro",
        "./1.avro",
        "1.avro\nx",
        "1.avro\0x",
        "passwd",
        "1.AVRO",
        "-1.avro",
        ".avro",
        "1.avro.exe",
        "\u0661.avro",
        "9" * 31 + ".avro",
    ],
)
def test_a_tarball_with_a_strange_name_is_refused_in_one_sentence(make_tarball: Make, name: str, tmp_path: Path):
    path = tmp_path / "strange.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for each in ("1.avro", name):
            info = tarfile.TarInfo("replaced by the extended header" if each == name else each)
            info.pax_headers = {"path": each}
            tar.addfile(info)
    with pytest.raises(UserError, match=r"must hold only files named <digits>\.avro") as raised:
        open_source(path)
    assert "\n" not in str(raised.value)
    assert "\0" not in str(raised.value)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tarball_holds_files_only(make_tarball: Make, kind: bytes):
    member = tarfile.TarInfo("1.avro")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(UserError, match=r"must hold only files"):
        open_source(make_tarball([member]))


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", gzip.compress(b""), gzip.compress(bytes(10240))])
def test_a_placeholder_is_called_one(tmp_path: Path, content: bytes):
    path = tmp_path / "ztf_public_20180901.tar.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"got a placeholder of {len(content)} bytes"):
        open_source(path)


def incompressible(count: int) -> list[tuple[str, bytes]]:
    """Make packets that gzip does not shrink, so that a cut anywhere is a cut in the data."""
    return [(f"{number}.avro", hashlib.shake_128(bytes([number])).digest(700)) for number in range(count)]


@pytest.mark.parametrize("cut", [1, 4, 9, 100, 1500])
def test_a_tarball_cut_short_is_refused(make_tarball: Make, cut: int):
    path = make_tarball(incompressible(5))
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(UserError, match=r"must be a whole \.tar\.gz"):
        open_source(path)


def test_a_flipped_bit_is_found_by_the_checksum(make_tarball: Make):
    path = make_tarball(incompressible(5))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"must be a whole \.tar\.gz"):
        open_source(path)


def test_a_tar_cut_short_inside_whole_gzip_is_refused(make_tarball: Make):
    path = make_tarball(incompressible(5))
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain[:2000]))
    with pytest.raises(UserError, match=r"must be a whole \.tar\.gz"):
        open_source(path)


def test_a_bad_header_between_packets_does_not_end_the_source_in_silence(make_tarball: Make):
    path = make_tarball(incompressible(5))
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[2 * 1536 : 2 * 1536 + 512] = b"x" * 512
    path.write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(UserError, match="something unreadable after packet 2"):
        open_source(path)


def test_a_packet_beyond_all_measure_is_refused_unread(make_tarball: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fink_dagster.replay.tarball.MAX_PACKET_BYTES", 4)
    with pytest.raises(UserError, match=r"packet 11\.avro must have at most 4 bytes; got 5"):
        open_source(make_tarball(THREE))
    assert packets_module.MAX_PACKET_BYTES > 4_194_304


def test_a_folder_gives_its_avro_files_by_name(tmp_path: Path):
    for name, data in {"2.avro": b"two", "1.avro": b"one", "README": b"no packet"}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "deeper.avro").mkdir()
    source = open_source(tmp_path)
    assert [(packet.position, packet.name, packet.data) for packet in source.packets()] == [
        (0, "1.avro", b"one"),
        (1, "2.avro", b"two"),
    ]
    assert (source.name, source.total) == (tmp_path.name, 2)


def test_a_folder_is_another_source_once_a_file_changes(tmp_path: Path):
    (tmp_path / "1.avro").write_bytes(b"one")
    before = open_source(tmp_path).sha256
    assert open_source(tmp_path).sha256 == before
    (tmp_path / "1.avro").write_bytes(b"eno")
    assert open_source(tmp_path).sha256 != before


def test_a_folder_is_called_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "ztf_public_20180819"
    folder.mkdir()
    (folder / "1.avro").write_bytes(b"one")
    monkeypatch.chdir(folder)
    assert open_source(Path()).name == "ztf_public_20180819"


def test_a_single_file_is_a_source_of_one(tmp_path: Path):
    path = tmp_path / "1.avro"
    path.write_bytes(b"one")
    source = open_source(path)
    assert (source.total, source.sha256) == (1, hashlib.sha256(b"one").hexdigest())
    assert [packet.data for packet in source.packets()] == [b"one"]


@pytest.mark.parametrize(
    ("name", "words"), [("absent", "got nothing"), ("notes.txt", "got another kind"), ("empty", "got none")]
)
def test_what_is_no_source_is_refused(tmp_path: Path, name: str, words: str):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=words):
        open_source(tmp_path / name)


def test_a_file_that_goes_away_while_it_is_sent_is_one_sentence(tmp_path: Path):
    path = tmp_path / "1.avro"
    path.write_bytes(b"one")
    source = open_source(path)
    path.unlink()
    with pytest.raises(OperationError, match="must be readable"):
        list(source.packets())


def test_every_byte_that_will_be_read_is_reported(make_tarball: Make, tmp_path: Path):
    for path in (make_tarball(incompressible(5)), tmp_path):
        (tmp_path / "1.avro").write_bytes(b"one")
        read: list[int] = []
        open_source(path, read.append)
        assert sum(read) == source_bytes(path)
    assert source_bytes(tmp_path / "absent") == 0


@given(st.binary(max_size=2000))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_under_a_tarballs_name_lead_to_anything_but_a_sentence(tmp_path: Path, data: bytes):
    for content in (data, gzip.compress(data)):
        path = tmp_path / "ztf_public_20180819.tar.gz"
        path.write_bytes(content)
        with pytest.raises(FinkError):
            open_source(path)


def test_a_name_that_is_no_utf8_is_still_a_name(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.avro"))
    path.write_bytes(b"one")
    assert os.fsencode(open_source(path).name) == b"\xff.avro"
    assert open_source(tmp_path).total == 1


def test_reading_does_not_hold_the_tarball_in_memory(tmp_path: Path):
    import tracemalloc

    path = tmp_path / "large.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for number in range(60):
            info = tarfile.TarInfo(f"{number}.avro")
            info.size = 1_000_000
            tar.addfile(info, io.BytesIO(bytes(1_000_000)))
    tracemalloc.start()
    source = open_source(path)
    assert sum(len(packet.data) for packet in source.packets()) == 60_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
