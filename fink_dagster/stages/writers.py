"""Which writer schemas are known, and how the next one is learned: remembered first, used afterwards.

A row in ``writer_schemas`` is what lets a raw row be encoded back to the bytes it came from, so it is written before
the first raw row that needs it. Decoding itself is in ``decoding``.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import CorruptData
from fink_dagster.lake.lake import Append
from fink_dagster.lake.widening import widen
from fink_dagster.stages import decoding
from fink_dagster.stages.decoding import WriterSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame

    from fink_dagster.lake.lake import Lake
    from fink_dagster.surveys.base import Header, Survey

TABLE = "writer_schemas"
_COLUMNS = ("fingerprint", "schema", "header", "first_seen")
_TICK = dt.timedelta(microseconds=1)
MAX_IN_JVM = 32
"""Headers the JVM compares each message with; seven writers of ZTF 3.3 are known. The others are decoded in Python."""


class KnownWriters:
    """The writer schemas of a survey, and the reader's schema that holds all their fields.

    Parameters
    ----------
    lake : Lake
        The survey's tables; ``writer_schemas`` may not exist yet.
    survey : Survey
        Whose alerts.
    """

    def __init__(self, lake: Lake, survey: Survey) -> None:
        self._lake = lake
        self._survey = survey
        self._reserved = decoding.reserved_names(survey)
        self._by_header: dict[bytes, WriterSchema] = {}
        self._fingerprints: set[str] = set()
        self.reader: Mapping[str, Any] = decoding.merged_schema(survey, ())
        self._load()

    @property
    def in_jvm(self) -> list[WriterSchema]:
        """Return the writers whose messages the JVM decodes."""
        return list(self._by_header.values())

    def learn(self, messages: DataFrame) -> tuple[bool, bool]:
        """Learn the headers of messages the JVM could not decode, and remember them in the lake.

        Parameters
        ----------
        messages : DataFrame
            With a binary column ``value``.

        Returns
        -------
        learned, widened : bool
            Whether the JVM can decode more than before; whether there are fields that plans made before do not have.
        """
        headers = [row.header for row in decoding.headers_in(messages, self._survey).collect()]
        now = dt.datetime.now(dt.UTC)
        new, reader = self._new_among(self._survey.framing.header(raw) for raw in sorted(headers))
        if not new:
            return False, False
        widened = reader != self.reader
        if widened:
            widen(self._lake, reader)
        rows = [
            # Of different times, so that they are merged in this order when they are read again.
            (writer.fingerprint, writer.header.schema_json, bytearray(writer.header.raw), now + place * _TICK)
            for place, writer in enumerate(new)
        ]
        schema = self._lake.spark.table(self._lake.name(TABLE)).schema
        # What is known is not learned again, so one stream appends a schema once whatever it is called.
        self._lake.append(TABLE, self._lake.spark.createDataFrame(rows, schema), Append(TABLE, uuid.uuid4().hex, 0))
        # Last: should one of the two above fail, the batch comes again and must find the schema new.
        self._take(new)
        return any(not w.header.compressed and w.header.raw in self._by_header for w in new), widened

    def _load(self) -> None:
        stored = self._lake.reader.rows(TABLE, _COLUMNS)
        for row in stored.sort_by("first_seen").to_pylist() if stored else []:
            self._take([self._of(self._survey.framing.header(row["header"]))])

    def _of(self, header: Header) -> WriterSchema:
        return WriterSchema.of(header, self._survey, self._reserved)

    def _take(self, writers: list[WriterSchema]) -> None:
        for writer in writers:
            self._fingerprints.add(writer.fingerprint)
            self.reader = decoding.merged_schema(self._survey, [*self.in_jvm, writer], known=self.reader)
            if len(self._by_header) < MAX_IN_JVM:
                self._by_header[writer.header.raw] = writer

    def _new_among(self, headers: Iterable[Header]) -> tuple[list[WriterSchema], Mapping[str, Any]]:
        """Return the new writers, and the reader's schema with their fields.

        One whose fields contradict those known, or those of another new one, is left out; Python will say so.
        """
        new: list[WriterSchema] = []
        reader = self.reader
        for header in headers:
            try:
                writer = self._of(header)
                merged = decoding.merged_schema(self._survey, [writer], known=reader)
            except CorruptData:
                continue
            if self._is_new(writer):
                new.append(writer)
                reader = merged
        return new, reader

    def _is_new(self, writer: WriterSchema) -> bool:
        if writer.fingerprint not in self._fingerprints:
            return True
        return writer.header.raw not in self._by_header and len(self._by_header) < MAX_IN_JVM
