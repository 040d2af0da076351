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
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from fink_dagster.lake.lake import Lake
    from fink_dagster.surveys.base import Header, Survey

TABLE = "writer_schemas"
_COLUMNS = ("fingerprint", "schema", "header", "first_seen")
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
            Whether the JVM can decode more than before; whether a table has got new columns.
        """
        found = [
            self._survey.framing.header(row.header) for row in decoding.headers_in(messages, self._survey).collect()
        ]
        new = [writer for writer in map(self._readable, found) if writer is not None and self._is_new(writer)]
        if not new:
            return False, False
        before = self.reader
        self._take(new)
        widened = self.reader != before and widen(self._lake, self.reader)
        now = dt.datetime.now(dt.UTC)
        rows = [(w.fingerprint, w.header.schema_json, bytearray(w.header.raw), now) for w in new]
        schema = self._lake.spark.table(self._lake.name(TABLE)).schema
        # What is known already is not learned again, so this append happens once whatever it is called.
        self._lake.append(TABLE, self._lake.spark.createDataFrame(rows, schema), Append(TABLE, uuid.uuid4().hex, 0))
        return True, widened

    def _load(self) -> None:
        stored = self._lake.reader.rows(TABLE, _COLUMNS)
        for row in stored.sort_by("first_seen").to_pylist() if stored else []:
            self._take([WriterSchema.of(self._survey.framing.header(row["header"]), self._survey)])

    def _take(self, writers: list[WriterSchema]) -> None:
        for writer in writers:
            self._fingerprints.add(writer.fingerprint)
            self.reader = decoding.merged_schema(self._survey, [*self.in_jvm, writer], known=self.reader)
            if len(self._by_header) < MAX_IN_JVM:
                self._by_header[writer.header.raw] = writer

    def _readable(self, header: Header) -> WriterSchema | None:
        """Return the writer of a header, or None when its fields contradict those known; Python will say so."""
        try:
            writer = WriterSchema.of(header, self._survey)
            decoding.merged_schema(self._survey, [writer], known=self.reader)
        except CorruptData:
            return None
        return writer

    def _is_new(self, writer: WriterSchema) -> bool:
        if writer.fingerprint not in self._fingerprints:
            return True
        return writer.header.raw not in self._by_header and len(self._by_header) < MAX_IN_JVM
