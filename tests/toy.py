"""A made-up survey, to show that nothing outside ``surveys`` knows ZTF; and ZTF under other names, one a test.

Its messages are four bytes ``TOY1`` and a schemaless Avro body; it has no stamps, calls things otherwise, and its night
begins at noon.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.errors import CorruptData
from fink_dagster.surveys.archive import NightStatistics
from fink_dagster.surveys.base import Cut, Header, Night, NightRule
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SCHEMA = {
    "type": "record",
    "name": "toy",
    "fields": [
        {"name": "sourceId", "type": "long"},
        {"name": "objectName", "type": "string"},
        {"name": "mjd", "type": "double"},
        {"name": "quality", "type": ["null", "float"], "default": None},
    ],
}


class ToyFraming:
    """``TOY1`` and a body; the schema is always the same."""

    def header(self, message: bytes) -> Header:
        if message[:4] != b"TOY1":
            raise CorruptData("not_toy", f"message: must begin with TOY1; got {message[:4]!r}")
        return Header(b"TOY1", SCHEMA, json.dumps(SCHEMA))

    def body(self, message: bytes, header: Header) -> bytes:
        return message[4:]

    def with_alert(
        self, messages: DataFrame, column: str, header: Header, writer: str, reader: str
    ) -> tuple[DataFrame, Column]:
        from pyspark.sql import functions as F
        from pyspark.sql.avro.functions import from_avro

        value = F.col("value")
        body = F.when(F.substring(value, 1, 4) == F.lit(header.raw), value.substr(F.lit(5), F.length(value)))
        alert = from_avro(body, writer, {"mode": "PERMISSIVE", "avroSchema": reader})
        return messages.withColumn(column, F.struct(alert.alias("alert"))), F.col(f"{column}.alert").isNotNull()


class Toy:
    """The survey."""

    name = "toy"
    alert_schema = SCHEMA
    framing = ToyFraming()
    night_rule = NightRule("mjd", 40587.5, 43200.0)
    first_night = Night("2020-01-01")
    identifier = "sourceId"
    object_identifier = "objectName"
    required = ("sourceId", "objectName", "mjd")
    never_null = ("sourceId", "objectName", "mjd")
    cuts = (Cut("quality", "quality", ">=", 0.5),)
    topic_partitions = 2
    archive_tables = ()
    statistics = NightStatistics()

    def topics(self, night: Night) -> list[str]:
        return [f"toy-{night.compact}"]

    def night_of_topic(self, topic: str) -> Night | None:
        text = topic.removeprefix("toy-")
        return Night(f"{text[:4]}-{text[4:6]}-{text[6:8]}") if topic.startswith("toy-") else None


def toy_message(**fields: Any) -> bytes:
    """Return a message of the toy survey."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA, {"quality": 0.9, "objectName": "a", "mjd": 60000.0, **fields})
    return b"TOY1" + out.getvalue()


def ztf_named(name: str, *, index_tables: bool = False) -> ZTF:
    """Return ZTF with tables of its own; in HBase with the main one alone, for each takes a second to make."""
    survey = ZTF()
    survey.name = name
    if not index_tables:
        survey.archive_tables = ()
    return survey
