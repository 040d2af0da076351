"""What of an alert a data transfer carries: columns by name, or one of the contents that upstream offers.

Values take the types fink-client can write as Parquet. Which alerts are carried is said in ``transfer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.errors import UserError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyiceberg.table import Table
    from pyspark.sql import Column
    from pyspark.sql.types import DataType, StructType

FULL = "full packet"
CONTENTS: dict[str, Callable[[DataType], bool]] = {
    FULL: lambda _: True,
    "medium": lambda kind: not _holds(kind, "BinaryType"),
    "light": lambda kind: not _holds(kind, "BinaryType", "ArrayType"),
    "cutouts": lambda kind: not _holds(kind, "ArrayType"),
}
"""Content -> whether it has a column of a type: stamps are binary, the history is an array."""


def schema_of(table: Table) -> StructType:
    """Return what Spark takes the columns of a table of the lake for, without a session."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(table.schema().as_arrow())


def paths_of(schema: StructType, asked: str, always: Sequence[str]) -> list[str]:
    """Return the columns a transfer carries.

    Parameters
    ----------
    schema : StructType
        Of the alerts.
    asked : str
        A content, in whatever case, or columns with commas between them; ``candidate.magpsf`` is a field of a record
        and gets its last name, as in upstream's transfers.
    always : sequence of str
        Columns that name the alert; they come first and need not be asked for.

    Raises
    ------
    UserError
        When there is no such column, or two would have the same name.
    """
    wanted = CONTENTS.get(asked.strip().lower())
    if wanted is not None:
        paths = [field.name for field in schema if wanted(field.dataType)]
    else:
        paths = [path.strip() for path in asked.split(",")]
    paths = [*always, *(path for path in paths if path not in always)]
    for path in paths:
        _kind_of(schema, path)
    names = [_name(path) for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        message = f"transfer columns: must have names of their own; got {twice!r} twice; leave one out"
        raise UserError(message)
    return paths


def carried(schema: StructType, paths: Sequence[str]) -> list[Column]:
    """Return columns as they are sent.

    Times and decimals are text: for what Avro makes of them fink-client knows no type of Parquet.
    """
    return [_as_plain(path, _kind_of(schema, path)).alias(_name(path)) for path in paths]


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _kind_of(schema: StructType, path: str) -> DataType:
    kind: DataType = schema
    for part in path.split("."):
        fields = {field.name: field.dataType for field in kind} if kind.typeName() == "struct" else {}
        if part not in fields:
            raise unknown("column", path, [*CONTENTS, *(field.name for field in schema)])
        kind = fields[part]
    return kind


def _as_plain(path: str, kind: DataType) -> Column:
    from pyspark.sql import functions as F

    plain = _plain(kind)
    return F.col(path) if plain == kind else F.col(path).cast(plain)


def _plain(kind: DataType) -> DataType:
    """Return a type with text in place of every type that Avro writes as a logical one."""
    from pyspark.sql import types as T

    if isinstance(kind, T.StructType):
        return T.StructType([T.StructField(f.name, _plain(f.dataType), f.nullable) for f in kind])
    if isinstance(kind, T.ArrayType):
        return T.ArrayType(_plain(kind.elementType), kind.containsNull)
    if isinstance(kind, T.MapType):
        return T.MapType(kind.keyType, _plain(kind.valueType), kind.valueContainsNull)
    logical = (T.TimestampType, T.TimestampNTZType, T.DateType, T.DecimalType)
    return T.StringType() if isinstance(kind, logical) else kind


def _holds(kind: DataType, *names: str) -> bool:
    """Tell whether a type is one of some, or has one within."""
    from pyspark.sql import types as T

    if type(kind).__name__ in names:
        return True
    if isinstance(kind, T.StructType):
        return any(_holds(field.dataType, *names) for field in kind)
    if isinstance(kind, T.MapType):
        return _holds(kind.valueType, *names)
    return isinstance(kind, T.ArrayType) and _holds(kind.elementType, *names)
