"""From messages to alerts, inside Spark: known headers in the JVM, every other message one by one in Python.

The Python decoder is the authority: whatever the JVM does not decode goes to it, and it either makes the alert or says
why not. Its alerts return to Spark as Avro in the reader's schema, so both ways end in the same columns. What an alert
is, and how it is framed, the survey says. Nothing is written here.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fastavro

from fink_dagster.errors import CorruptData
from fink_dagster.lake.tables import platform_columns
from fink_dagster.surveys import avro
from fink_dagster.surveys.base import LAST_DAY, Header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Set

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from fink_dagster.surveys.base import Survey

HEADERS = "header binary, schema string"
_VERDICT = (("body", "binary"), ("writer_schema", "string"), ("code", "string"), ("text", "string"))
_UNDECODABLE = "message: its alert must be one Spark can hold; a text or an array of it is too long"

_KEPT_WRITERS = 64


@dataclass(frozen=True)
class WriterSchema:
    """A schema messages are written with, and how such a message begins."""

    fingerprint: str
    header: Header
    writer: Mapping[str, Any]

    @classmethod
    def of(cls, header: Header, survey: Survey, reserved: Set[str]) -> WriterSchema:
        """Make it from a header.

        Parameters
        ----------
        header : Header
            What a message begins with.
        survey : Survey
            Whose alert it must be.
        reserved : set of str
            Names no field may have, as :func:`reserved_names` returns them.

        Raises
        ------
        CorruptData
            ``schema`` when it is none, ``other_survey`` when it is not this survey's, ``reserved_name`` when the
            platform has a column called as one of its fields.
        """
        writer = avro.by_place(header.schema)
        # Those with an underscore in front are for columns in passing.
        taken = [name for name in avro.fields_of(writer) if name.lower() in reserved or name.startswith("_")]
        if taken:
            raise CorruptData(
                "reserved_name", f"message: {taken[0]!r} must not be a field; the platform has a column so named"
            )
        missing = [path for path in survey.required if not avro.has_path(writer, path)]
        if missing:
            raise CorruptData("other_survey", f"message: an alert of {survey.name} must have {', '.join(missing)}")
        return cls(avro.fingerprint(header.schema), header, writer)


def reserved_names(survey: Survey) -> frozenset[str]:
    """Return the names of the platform's own columns in lower case: Spark and the lake do not tell names by case.

    They are asked for once and travel to the workers, which need not know the science modules for it.
    """
    return frozenset(name.lower() for name in platform_columns(survey))


def merged_schema(survey: Survey, writers: Iterable[WriterSchema], known: Any = None) -> dict[str, Any]:
    """Return the reader's schema: what the survey declares, what is known, and whatever else writers have sent.

    Raises
    ------
    CorruptData
        ``schema_conflict`` when a writer's field has another type.
    """
    schema = known or avro.as_reader(avro.by_place(survey.alert_schema))
    for writer in writers:
        schema = avro.merge(schema, avro.as_reader(writer.writer))
    return dict(schema)


def decode_in_jvm(messages: DataFrame, survey: Survey, known: Iterable[WriterSchema], reader: Any) -> DataFrame:
    """Replace ``value`` by ``alert`` and ``writer_schema``; both are null where a message is not whole or not known.

    Parameters
    ----------
    messages : DataFrame
        With a binary column ``value``.
    survey : Survey
        Whose framing and whose required values.
    known : iterable of WriterSchema
        Headers to recognise.
    reader : dict
        As :func:`merged_schema` returns it.
    """
    from pyspark.sql import functions as F

    reader_json, decoded = json.dumps(reader), messages
    alert, fingerprint = from_reader(F.lit(None).cast("binary"), reader), F.lit(None).cast("string")
    for place, writer in enumerate(writer for writer in known if not writer.header.compressed):
        name, written = f"_block{place}", json.dumps(writer.writer)
        decoded, whole = survey.framing.with_alert(decoded, name, writer.header, written, reader_json)
        # The struct is named whole here, not by its parts alone: else Spark takes it apart, and decodes for each part.
        whole = F.col(name).isNotNull() & whole & _is_complete(F.col(f"{name}.alert"), survey)
        whole = F.coalesce(whole, F.lit(False))
        alert = F.when(whole, F.col(f"{name}.alert")).otherwise(alert)
        fingerprint = F.when(whole, F.lit(writer.fingerprint)).otherwise(fingerprint)
    others = [name for name in messages.columns if name != "value"]
    return decoded.select(*others, alert.alias("alert"), fingerprint.alias("writer_schema"))


def _is_complete(alert: Column, survey: Survey) -> Column:
    """Tell whether an alert has the values it cannot be without, and a time that can be."""
    from pyspark.sql import functions as F

    time = _field(alert, survey.night_rule.field) - F.lit(survey.night_rule.zero)
    # What has no name has no row in the archive either.
    complete = (time >= 0) & (time < LAST_DAY) & (_field(alert, survey.object_identifier).cast("string") != "")
    for path in survey.never_null:
        complete = complete & _field(alert, path).isNotNull()
    return complete


def _field(alert: Column, path: str) -> Column:
    for name in path.split("."):
        alert = alert[name]
    return alert


def from_reader(body: Column, reader: Any) -> Column:
    """Return the alert in an Avro body written with the reader's own schema; null stays null."""
    from pyspark.sql.avro.functions import from_avro

    return from_avro(body, json.dumps(reader), {"mode": "PERMISSIVE"})


def headers_in(messages: DataFrame, survey: Survey) -> DataFrame:
    """Return the distinct headers of messages that can be read as far as that (columns of ``HEADERS``)."""
    return messages.select("value").mapInArrow(_header_finder(survey), HEADERS).distinct()


def _header_finder(survey: Survey) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    reserved = reserved_names(survey)

    def find(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        seen: dict[bytes, str] = {}
        for batch in batches:
            for value in batch.column("value"):
                try:
                    header = survey.framing.header(value.as_py() or b"")
                    if header.raw not in seen:
                        # A message that is not whole must not teach the tables new columns.
                        writer = WriterSchema.of(header, survey, reserved).writer
                        read_whole(survey.framing.body(value.as_py(), header), writer)
                        seen[header.raw] = header.schema_json
                except CorruptData:
                    continue
        yield pa.RecordBatch.from_arrays(
            [pa.array(list(seen), pa.binary()), pa.array(list(seen.values()))], ["header", "schema"]
        )

    return find


def decode_in_python(messages: DataFrame, survey: Survey, reader: Any, max_bytes: int) -> DataFrame:
    """Judge messages one by one: add ``alert`` and its ``writer_schema``, or a ``code`` and a ``text``.

    Parameters
    ----------
    messages : DataFrame
        With a binary column ``value``; every column is passed through.
    survey : Survey
        Whose framing and whose required fields.
    reader : dict
        As :func:`merged_schema` returns it.
    max_bytes : int
        A longer message is not read.
    """
    from pyspark.sql import functions as F
    from pyspark.sql.types import StructType

    schema = StructType(list(messages.schema.fields))
    for name, kind in _VERDICT:
        schema.add(name, kind)
    judged = messages.mapInArrow(_judge(PythonDecoder(survey, reader, max_bytes)), schema)
    judged = judged.withColumn("alert", from_reader(F.col("body"), reader)).drop("body")
    # Spark's decoder has limits that Python's has not; what it does not make is set aside like any other.
    beyond = F.col("code").isNull() & ~F.coalesce(_is_complete(F.col("alert"), survey), F.lit(False))
    return judged.withColumns(
        {
            "code": F.when(beyond, F.lit("undecodable")).otherwise(F.col("code")),
            "text": F.when(beyond, F.lit(_UNDECODABLE)).otherwise(F.col("text")),
        }
    )


class PythonDecoder:
    """The authority on what a message is.

    Parameters
    ----------
    survey : Survey
        Whose framing and whose required fields.
    reader : dict
        Schema the alert is wanted in.
    max_bytes : int
        A longer message is not read.
    """

    def __init__(self, survey: Survey, reader: Any, max_bytes: int) -> None:
        self.survey = survey
        self.reader = reader
        self.max_bytes = max_bytes
        self._reserved = reserved_names(survey)
        self._writers: dict[bytes, WriterSchema] = {}

    def decode(self, message: bytes) -> tuple[bytes, str]:
        """Return the alert as schemaless Avro in the reader's schema, and its writer's fingerprint.

        Raises
        ------
        CorruptData
            When the message is not one whole alert of the survey.
        """
        if len(message) > self.max_bytes:
            raise CorruptData("too_large", f"message: must have at most {self.max_bytes} bytes; got {len(message)}")
        header = self.survey.framing.header(message)
        writer = self._writer(header)
        alert = read_whole(self.survey.framing.body(message, header), writer.writer)
        for path in self.survey.never_null:
            self._require(alert, path)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.reader, alert)
        return out.getvalue(), writer.fingerprint

    def _writer(self, header: Header) -> WriterSchema:
        """Return what is known of a header; a night has few of them, so the last ones are kept."""
        if header.raw not in self._writers:
            writer = WriterSchema.of(header, self.survey, self._reserved)
            avro.merge(self.reader, avro.as_reader(writer.writer))
            if len(self._writers) >= _KEPT_WRITERS:
                self._writers.clear()
            self._writers[header.raw] = writer
        return self._writers[header.raw]

    def _require(self, alert: Any, path: str) -> None:
        value = alert
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None or (value == "" and path == self.survey.object_identifier):
            got = "null" if value is None else "empty"
            raise CorruptData("missing_value", f"message: {path} must have a value; it is {got}")
        if path == self.survey.night_rule.field:
            try:
                self.survey.night_rule.night(value)
            except ValueError as error:
                raise CorruptData("night", f"message: {error}") from None


def read_whole(body: bytes, writer: Any) -> Any:
    """Decode schemaless Avro to the last byte.

    Raises
    ------
    CorruptData
        ``avro`` when it does not decode, ``trailing_bytes`` when something is left.
    """
    stream = io.BytesIO(body)
    try:
        record = fastavro.schemaless_reader(stream, writer)
    except (EOFError, IndexError, ValueError, KeyError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise CorruptData(
            "avro", f"message: its body must decode with its own schema; {type(error).__name__}"
        ) from None
    except fastavro.schema.SchemaParseException:
        raise CorruptData("schema", "message: its schema must be valid Avro; it is not") from None
    if stream.tell() != len(body):
        raise CorruptData(
            "trailing_bytes", f"message: its body must end with the record; {len(body) - stream.tell()} bytes follow"
        )
    return record


def _judge(decoder: PythonDecoder) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def judge(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            verdicts = [_verdict(decoder, value.as_py() or b"") for value in batch.column("value")]
            arrays = [
                pa.array([verdict[place] for verdict in verdicts], pa.binary() if kind == "binary" else pa.string())
                for place, (_, kind) in enumerate(_VERDICT)
            ]
            names = [*batch.schema.names, *(name for name, _ in _VERDICT)]
            yield pa.RecordBatch.from_arrays([*batch.columns, *arrays], names)

    return judge


def _verdict(decoder: PythonDecoder, message: bytes) -> tuple[bytes | None, str | None, str | None, str | None]:
    try:
        body, fingerprint = decoder.decode(message)
    except CorruptData as error:
        return None, None, error.code, error.text
    except Exception as error:  # noqa: BLE001 - one message, whatever is wrong with it, must not stop the stream
        return None, None, "undecodable", f"message: must be an alert; decoding ended with {type(error).__name__}"
    return body, fingerprint, None, None
