"""The files enriched alerts go to: their names, their columns as declared, and that they appear whole or not at all.

Every type comes from a declaration, the survey's or a module's, never from the values. Which alert goes where is not
decided here.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fink_dagster.enrich.target import ENRICHED, QUARANTINED, REJECTED
from fink_dagster.errors import OperationError
from fink_dagster.science.frame import alert_type, array_of, output_type
from fink_dagster.science.run import STATUS, VERSIONS
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from fink_dagster.enrich.packets import Damaged
    from fink_dagster.enrich.target import Target
    from fink_dagster.science.module import Module, Output
    from fink_dagster.science.run import Ran
    from fink_dagster.surveys.base import Survey

ROW_GROUP = 20_000
"""Rows gathered before they are written; some MB, and no row group is smaller but the last."""
_TEXTS = pa.map_(pa.string(), pa.string())
_QUARANTINE = pa.schema(
    [("source", pa.string()), ("position", pa.int64()), ("code", pa.string()), ("text", pa.string())]
)


def enriched_schema(survey: Survey, modules: Sequence[Module]) -> pa.Schema:
    """Return the columns of enriched alerts: who it is, the modules' outputs in order, what failed, and versions."""
    outputs = [_field(out) for module in modules for out in module.outputs]
    return pa.schema([*_identity(survey), *outputs, pa.field(STATUS, _TEXTS), pa.field(VERSIONS, _TEXTS)])


def schemas(survey: Survey, modules: Sequence[Module]) -> dict[str, pa.Schema]:
    """Return the columns of the three tables."""
    return {
        ENRICHED: enriched_schema(survey, modules),
        REJECTED: pa.schema([*_identity(survey), pa.field("reason", pa.string())]),
        QUARANTINED: _QUARANTINE,
    }


def enriched_columns(who: pd.DataFrame, ran: Ran, modules: Sequence[Module]) -> dict[str, Any]:
    """Return the columns of enriched alerts.

    Parameters
    ----------
    who : DataFrame
        The identifiers, one row per alert.
    ran : Ran
        What came of the modules on these alerts, in the same order.
    modules : sequence of Module
        Those that ran.
    """
    versions = [(module.name, module.version) for module in modules]
    status = [list(failed.items()) for failed in ran.status]
    return {**who, **ran.columns, STATUS: status, VERSIONS: [versions] * len(who)}


def quarantined_columns(damaged: Sequence[Damaged]) -> dict[str, list[Any]]:
    """Return the columns of what could not become an alert."""
    return {
        "source": [each.place.source for each in damaged],
        "position": [each.place.position for each in damaged],
        "code": [each.code for each in damaged],
        "text": [each.text for each in damaged],
    }


class Rows:
    """A Parquet file that is being written.

    Parameters
    ----------
    file : Path
        Where.
    schema : Schema
        Its columns.
    """

    def __init__(self, file: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []

    def add(self, columns: Mapping[str, Any]) -> None:
        """Add rows, given as columns of values that have the declared types."""
        arrays = [array_of(columns[item.name], item.type) for item in self._schema]
        self._waiting.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        if sum(map(len, self._waiting)) >= ROW_GROUP:
            self._write()

    def close(self) -> None:
        """Write what waits and end the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting = []


@contextmanager
def written(target: Target, columns: Mapping[str, pa.Schema]) -> Iterator[dict[str, Rows]]:
    """Open the three tables; their files appear when the block ends well, the enriched alerts last, else none does.

    Raises
    ------
    OperationError
        When the system does not let them be written.
    """
    folder = target.enriched.parent
    parts = {what: file.with_name(f".{file.name}.{os.getpid()}.part") for what, file in target.files.items()}
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            rows = {what: Rows(part, columns[what]) for what, part in parts.items()}
            for each in rows.values():
                stack.callback(each.close)
            yield rows
        for what, file in target.files.items():
            parts[what].replace(file)
    except OSError as error:
        said = error.strerror or str(error)
        message = f"output {target.enriched.name!r}: must be writable; the system says {said!r}; check the folder"
        raise OperationError(message) from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        if made:
            with suppress(OSError):  # of a folder that holds files by now
                folder.rmdir()


def _identity(survey: Survey) -> list[pa.Field]:
    return list(alert_type(by_place(survey.alert_schema), (survey.object_identifier, survey.identifier)))


def _field(out: Output) -> pa.Field:
    return pa.field(out.name, output_type(out), metadata={"meaning": out.meaning, "unit": out.unit})
