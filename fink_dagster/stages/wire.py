"""The form in which alerts stand in user topics: schema as JSON in the key, schemaless Avro in the value.

That is what fink-client reads: the schema Spark makes of the table, top record ``topLevelRecord``, unions with the type
first (fink-utils, ``schema_converter``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame


def avro_schema(rows: DataFrame) -> str:
    """Return the Avro schema of a table's row as JSON."""
    spark = rows.sparkSession
    kind = spark._jsparkSession.parseDataType(rows.schema.json())
    converters = spark._jvm.org.apache.spark.sql.avro.SchemaConverters
    return str(converters.toAvroType(kind, False, "topLevelRecord", "").toString())


def packed(columns: Sequence[str], schema: str) -> Column:
    """Return a row's columns as schemaless Avro."""
    from pyspark.sql import functions as F
    from pyspark.sql.avro.functions import to_avro

    return to_avro(F.struct(*columns), schema)
