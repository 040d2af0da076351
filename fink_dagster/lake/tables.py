"""The tables of a survey, declared once: columns, types, meanings, partitioning.

Everything that needs to know a table's columns (creation, Dagster's column schema, docs) reads it here. Nothing is
read or written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.lake.types import alert_columns, meanings
from fink_dagster.science.registry import modules_for
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fink_dagster.science.module import Output
    from fink_dagster.surveys.base import Survey


@dataclass(frozen=True)
class Column:
    """A column of a table: Spark SQL type and meaning, with unit and time scale where it has one."""

    name: str
    type: str
    meaning: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the lake: its name within the survey, what it holds, its columns, whether rows are staged first."""

    name: str
    holds: str
    columns: tuple[Column, ...]
    partitioned: bool = True
    staged: bool = False


NIGHT = Column("night", "string", "observing night YYYY-MM-DD, from the alert's own time")
COORDINATE = (
    Column("topic", "string", "survey topic the message was read from"),
    Column("partition", "int", "partition of that topic"),
    Column("offset", "bigint", "offset in that partition"),
)
_KAFKA_TIMESTAMP = Column("kafka_timestamp", "timestamp", "when the survey's broker stored the message, UTC")
_WRITER = Column("writer_schema", "string", "fingerprint of the schema the message was written with")
_INGEST = Column("brokerIngestTimestamp", "timestamp", "when stream2raw read the message, UTC")
_ADDED = (
    Column("brokerStartProcessTimestamp", "timestamp", "when raw2science began with the alert's batch, UTC"),
    Column("brokerEndProcessTimestamp", "timestamp", "when the science modules were done with it, UTC"),
    Column("fink_broker_version", "string", "version of this platform"),
    Column("fink_science_version", "string", "version of the science modules"),
    Column("science_versions", "map<string,string>", "science module -> version it ran with"),
    Column("science_status", "map<string,string>", "module that failed on this alert -> code; its own cells are null"),
)
PUBLISHER = Column("publisher", "string", "constant sender text; the survey's own stands in raw_alerts")


def identity(survey: Survey) -> tuple[Column, ...]:
    """Return the columns that name an alert and its object."""
    types = alert_columns(survey.alert_schema)
    names = (survey.object_identifier, survey.identifier)
    return tuple(Column(name, types[name], meanings(survey.alert_schema).get(name, "")) for name in names)


def added_columns(survey: Survey) -> tuple[Column, ...]:
    """Return what raw2science adds to a survey's alert: timestamps, versions, outputs of the modules that can run."""
    outputs = (out for module in modules_for(by_place(survey.alert_schema)) for out in module.outputs)
    return (*_ADDED, *(Column(out.name, out.spark_type, _meaning(out)) for out in outputs))


def _meaning(out: Output) -> str:
    return f"{out.meaning} [{out.unit}]" if out.unit else out.meaning


def platform_columns(survey: Survey) -> frozenset[str]:
    """Return the names the platform gives columns beside the alert's own, which no writer may give a field."""
    own = (NIGHT, *COORDINATE, *_QUARANTINE, _INGEST, _WRITER, _DUPLICATE, _REASON, *added_columns(survey))
    declared = {field["name"] for field in survey.alert_schema["fields"]}
    return frozenset(column.name for column in own) - declared


def tables(survey: Survey, alert_schema: Mapping[str, Any] | None = None) -> dict[str, Table]:
    """Return a survey's tables by name.

    Parameters
    ----------
    survey : Survey
        Whose tables.
    alert_schema : dict, optional
        The alert's fields where writers have sent more than the survey declares.
    """
    who = identity(survey)
    declared = (
        _raw(survey, alert_schema or survey.alert_schema),
        _science(survey, alert_schema or survey.alert_schema),
        Table("rejected", "alerts that did not pass a cut", (NIGHT, *who, _REASON, *COORDINATE)),
        Table("duplicates", "alerts seen before in their night", (NIGHT, *who, *COORDINATE)),
        Table("quarantine", "messages that could not become an alert", (NIGHT, *COORDINATE, *_QUARANTINE)),
        Table("distributed", "what was sent to user topics", (NIGHT, *_DISTRIBUTED, who[1], *_SENT)),
        Table("archived", "what HBase has acknowledged", (NIGHT, *_ARCHIVED, who[1])),
        Table("writer_schemas", "every schema a message was written with", _SCHEMAS, partitioned=False),
        Table("nights", "the life of a night, one row a change", (NIGHT, *_NIGHTS), partitioned=False),
        Table("filter_trials", "what came of a filter tried on a past night", (NIGHT, *_TRIALS), partitioned=False),
        Table("filter_states", "which filters send, one row a change", _STATES, partitioned=False),
        Table("filter_errors", "batches on which a filter failed", (NIGHT, *_ERRORS)),
    )
    return {table.name: table for table in declared}


_REASON = Column("reason", "string", "first failing cut, in the survey's order")
_QUARANTINE = (
    _KAFKA_TIMESTAMP,
    Column("headers", "array<struct<key:string,value:binary>>", "headers of the message"),
    Column("value", "binary", "the message as it came"),
    Column("code", "string", "what kind of wrong"),
    Column("text", "string", "what is wrong, in a sentence"),
    Column("quarantined_at", "timestamp", "when it was put here, UTC"),
)
_DISTRIBUTED = (Column("filter", "string", "filter that passed the alert, or count"),)
_SENT = (
    Column("topic", "string", "user topic"),
    Column("partition", "int", "partition of the user topic"),
    Column("offset", "bigint", "offset in the user topic"),
)
_ARCHIVED = (
    Column("table", "string", "HBase table with every alert"),
    Column("row_key", "binary", "row key"),
    Column("index_keys", "map<string,binary>", "table that is searched by something else -> its row key there"),
)
_DUPLICATE = Column("is_duplicate", "boolean", "its identifier was already in the night, at another coordinate")
_SCHEMAS = (
    Column("fingerprint", "string", "SHA-256 of types, field order and union order"),
    Column("schema", "string", "the schema as found, JSON"),
    Column("header", "binary", "bytes a message with this schema begins with"),
    Column("first_seen", "timestamp", "when it was first read, UTC"),
)
_NIGHTS = (
    Column("changed_at", "timestamp", "when the state changed, UTC"),
    Column("state", "string", "open or closed"),
    Column("run_id", "string", "Dagster run that changed it"),
    Column("offsets", "string", "JSON: topic -> partition -> first, end, messages"),
    Column("account", "string", "JSON: the account when the night was closed"),
)
_OF_FILTER = (Column("filter", "string", "filter"), Column("version", "string", "version of the filter"))
_FAILED = (
    Column("failed", "bigint", "alerts the filter failed on"),
    Column("error", "string", "why it failed on the last of them; empty when it did not"),
)
_TRIALS = (
    Column("tried_at", "timestamp", "when it was tried, UTC; the newest of a night counts"),
    *_OF_FILTER,
    Column("alerts", "bigint", "science alerts of the night, each judged"),
    Column("passed", "bigint", "alerts the filter passed"),
    *_FAILED,
    Column("examples", "array<bigint>", "identifiers of a few alerts that passed"),
)
_STATES = (
    Column("changed_at", "timestamp", "when the state changed, UTC; the newest counts"),
    *_OF_FILTER,
    Column("state", "string", "active or inactive"),
    Column("share_limit", "double", "largest share of a night's science alerts it is meant to pass"),
    Column("why", "string", "what spoke for the change"),
)
_ERRORS = (Column("failed_at", "timestamp", "when the batch was judged, UTC"), *_OF_FILTER, *_FAILED)


def _raw(survey: Survey, schema: Mapping[str, Any]) -> Table:
    alert = tuple(
        Column(name, kind, meanings(survey.alert_schema).get(name, "")) for name, kind in alert_columns(schema).items()
    )
    holds = "every alert read, whole, with where it came from"
    columns = (*alert, NIGHT, *COORDINATE, _KAFKA_TIMESTAMP, _INGEST, _WRITER, _DUPLICATE)
    return Table("raw_alerts", holds, columns, staged=True)


def _science(survey: Survey, schema: Mapping[str, Any]) -> Table:
    alert = tuple(
        Column(name, kind, meanings(survey.alert_schema).get(name, ""))
        for name, kind in alert_columns(schema).items()
        if name != PUBLISHER.name
    )
    holds = "alerts that passed the cuts, whole, with what the modules add"
    return Table(
        "science_alerts",
        holds,
        (*alert, PUBLISHER, NIGHT, *COORDINATE, _KAFKA_TIMESTAMP, _INGEST, _WRITER, *added_columns(survey)),
    )
