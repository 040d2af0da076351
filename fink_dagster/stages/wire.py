"""The form in which alerts stand in user topics: schema as JSON in the key, schemaless Avro in the value.

That is what fink-client reads: the schema Spark makes of the table, top record ``topLevelRecord``, unions with the type
first (fink-utils, ``schema_converter``).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastavro.schema import fingerprint, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame


def avro_schema(rows: DataFrame) -> str:
    """Return the Avro schema of a table's row as JSON."""
    spark = rows.sparkSession
    kind = spark._jsparkSession.parseDataType(rows.schema.json())
    converters = spark._jvm.org.apache.spark.sql.avro.SchemaConverters
    return str(converters.toAvroType(kind, False, "topLevelRecord", "").toString())


def schema_fingerprint(schema: str) -> str:
    """Return the SHA-256 fingerprint of a schema's Parsing Canonical Form, in hexadecimal.

    Avro 1.12, "Schema Fingerprints": any reader can make the same of the schema in a message's key.
    """
    return str(fingerprint(to_parsing_canonical_form(json.loads(schema)), "SHA-256"))


def packed(columns: Sequence[str], schema: str) -> Column:
    """Return a row's columns as schemaless Avro."""
    from pyspark.sql import functions as F
    from pyspark.sql.avro.functions import to_avro

    return to_avro(F.struct(*columns), schema)
