"""Alerts of a source in chunks, each alert with its place, and what is damaged between them.

A source is read once, and never whole in memory. What an Avro file holds is found in ``packets``; what is done with
alerts is not known here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from fink_dagster.enrich.packets import Damaged, Decoded, Decoder, Place
from fink_dagster.enrich.sources import PARQUET, TARBALL, not_parquet, unreadable
from fink_dagster.replay import tarball
from fink_dagster.science.frame import batch_of

if TYPE_CHECKING:
    from pathlib import Path

    from fink_dagster.enrich.sources import Source

CHUNK_ALERTS = 500
"""Held in memory at once: some 30 MB of packets with stamps."""
_OTHER_TYPE = (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError)
_TEXT_CHARACTERS = 200

Report = Callable[[int], None]


@dataclass(frozen=True)
class Chunk:
    """Some alerts, with the place of each, and what was damaged between them."""

    alerts: pa.RecordBatch
    places: list[Place]
    damaged: list[Damaged]


def chunks(source: Source, kind: pa.StructType, report: Report = lambda _: None) -> Iterator[Chunk]:
    """Read a source from its beginning to its end, some hundred alerts at a time.

    Parameters
    ----------
    source : Source
        As :func:`open_source` returns it.
    kind : StructType
        The fields of an alert that are wanted.
    report : callable
        Called with the number of bytes each step has read.

    Raises
    ------
    UserError
        When a tarball or a Parquet file is not whole.
    OperationError
        When it cannot be read any more.
    """
    try:
        if source.kind == PARQUET:
            for file in source.files:
                yield from _rows(source, file, [item.name for item in kind], report)
        else:
            found = _found(source, report)
            while some := list(islice(found, CHUNK_ALERTS)):
                yield _chunk(some, kind)
    except pa.ArrowException as error:
        raise not_parquet(source.name, error) from None
    except OSError as error:
        raise unreadable(source.name, error) from None


def _rows(source: Source, file: Path, names: list[str], report: Report) -> Iterator[Chunk]:
    with pq.ParquetFile(file) as parquet:
        there = [name for name in names if name in parquet.schema_arrow.names]
        rows, name, done = parquet.metadata.num_rows, source.named(file), 0
        for batch in parquet.iter_batches(CHUNK_ALERTS, columns=there):
            yield Chunk(batch, [Place(name, done + row) for row in range(len(batch))], [])
            done += len(batch)
            report(file.stat().st_size * len(batch) // rows)


def _found(source: Source, report: Report) -> Iterator[Decoded | Damaged]:
    decoder = Decoder(source.survey)
    for file in source.files:
        if source.kind == TARBALL:
            for packet in tarball.packets(file, source.name, report):
                yield from decoder.decode(packet.name, io.BytesIO(packet.data))
        else:
            with file.open("rb") as stream:
                done = 0
                for each in decoder.decode(source.named(file), stream):
                    yield each
                    report(stream.tell() - done)
                    done = stream.tell()


def _chunk(found: list[Decoded | Damaged], kind: pa.StructType) -> Chunk:
    damaged = [each for each in found if isinstance(each, Damaged)]
    decoded = [each for each in found if isinstance(each, Decoded)]
    try:
        batch = batch_of([each.alert for each in decoded], kind)
    except _OTHER_TYPE:
        refusals = [_refusal(each, kind) for each in decoded]
        damaged += [refusal for refusal in refusals if refusal is not None]
        decoded = [each for each, refusal in zip(decoded, refusals, strict=True) if refusal is None]
        batch = batch_of([each.alert for each in decoded], kind)
    return Chunk(batch, [each.place for each in decoded], damaged)


def _refusal(decoded: Decoded, kind: pa.StructType) -> Damaged | None:
    try:
        batch_of([decoded.alert], kind)
    except _OTHER_TYPE as error:
        text = f"message: its fields must be of the survey's types; {str(error)[:_TEXT_CHARACTERS]}"
        return Damaged(decoded.place, "schema_conflict", text)
    return None
