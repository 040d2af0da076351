from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.container import AvroContainer
from fink_dagster.surveys.container_file import Block, blocks

SCHEMA = {"type": "record", "name": "small", "fields": [{"name": "id", "type": "long"}]}
CODECS = pytest.mark.parametrize("codec", ["null", "deflate"])


def _file(records: list[dict[str, Any]], codec: str = "null") -> bytes:
    """Write a container with a new block every few records."""
    out = io.BytesIO()
    fastavro.writer(out, SCHEMA, records, codec=codec, sync_interval=40, sync_marker=b"sixteen bytes of")
    return out.getvalue()


def _blocks(data: bytes) -> tuple[list[Block], list[int]]:
    header = AvroContainer().header(data)
    found, identifiers = list(blocks(io.BytesIO(data), header)), []
    for block in found:
        stream = io.BytesIO(block.bodies(header))
        identifiers += [fastavro.schemaless_reader(stream, SCHEMA, None)["id"] for _ in range(block.count)]
        assert stream.read() == b""
    return found, identifiers


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=40), st.sampled_from(["null", "deflate"]))
def test_all_records_of_all_blocks_are_found_in_order(identifiers: list[int], codec: str) -> None:
    data = _file([{"id": identifier} for identifier in identifiers], codec)
    found, read = _blocks(data)
    assert read == identifiers
    assert len(found) == len(list(fastavro.block_reader(io.BytesIO(data))))


@CODECS
def test_a_file_cut_anywhere_gives_its_whole_blocks_and_then_says_so(codec: str) -> None:
    data = _file([{"id": 2**60 + number} for number in range(30)], codec)
    header = AvroContainer().header(data)
    whole = len(_blocks(data)[0])
    ends, codes = {len(header.raw) + 16}, set()
    for end in range(len(header.raw), len(data)):
        got: list[Block] = []
        try:
            for block in blocks(io.BytesIO(data[:end]), header):
                got.append(block)
            ends.add(end)
        except CorruptData as error:
            codes.add(error.code)
        assert len(got) < whole
    assert codes == {"truncated"}
    assert len(ends) == whole, "a cut is not seen only where a block ends"


def test_a_block_without_the_files_marker_is_refused() -> None:
    data = bytearray(_file([{"id": 1}]))
    data[-1] ^= 0xFF
    with pytest.raises(CorruptData, match="must end with the container's sync marker") as refused:
        _blocks(bytes(data))
    assert refused.value.code == "sync_marker"


@pytest.mark.parametrize("count", [b"\x00", b"\x01", b"\xfe\xff\xff\xff\x0f"], ids=["none", "negative", "billions"])
def test_a_block_cannot_claim_any_number_of_records(count: bytes) -> None:
    data = _file([])
    damaged = data + count + b"\x02" + b"\x02" + b"sixteen bytes of"
    with pytest.raises(CorruptData, match="must hold the"):
        _blocks(damaged)


def test_a_block_of_impossible_size_is_not_read() -> None:
    data = _file([]) + b"\x02" + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x"
    with pytest.raises(CorruptData, match="must fit; 1 bytes are left"):
        _blocks(data)
