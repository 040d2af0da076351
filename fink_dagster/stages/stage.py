"""What a stage is given and must offer, and what is left of a batch that comes again. No stage's own rule is here."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fink_dagster.lake.lake import Append
from fink_dagster.lake.tables import COORDINATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

    from fink_dagster.lake.lake import Lake
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

STAGES = ("stream2raw", "raw2science", "distribution", "archive")


@dataclass(frozen=True)
class Batch:
    """One micro-batch: its number, the checkpoint that numbered it, and whether that checkpoint starts over.

    Attributes
    ----------
    number : int
        Batch id of the query.
    checkpoint : str
        Identity of the checkpoint.
    starts_over : bool
        True when the checkpoint was made over a night that already had rows, so that what it reads may be there.
    """

    number: int
    checkpoint: str
    starts_over: bool = False


@dataclass(frozen=True)
class NightContext:
    """What a stage of one night works with; ``run`` is who does the work, for the record."""

    spark: SparkSession
    settings: Settings
    survey: Survey
    night: Night
    lake: Lake
    run: str = "by hand"


class Stage(Protocol):
    """A stage of one night."""

    name: str

    @property
    def troubles(self) -> dict[str, str]:
        """What is wrong without stopping the stage, such as a filter that fails, and why."""
        ...

    @property
    def measures(self) -> dict[str, int]:
        """Numbers an operator watches beside those of the rows."""
        ...

    def source(self) -> DataFrame:
        """Return what the stage reads, as a stream."""
        ...

    def has_rows(self) -> bool:
        """Tell whether the stage has written anything for the night, so that a new checkpoint starts over."""
        ...

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Do one micro-batch; the same batch may come again, and then changes nothing."""
        ...

    def close(self) -> None:
        """Give back what the stage holds."""
        ...


def rest_of(
    lake: Lake, rows: DataFrame, batch: Batch, stage: str, tables: Sequence[str], where: str
) -> tuple[DataFrame, Append]:
    """Return what of a batch is still to be written, and as which append.

    A batch that was cut off comes again, perhaps to other code than it met the first time: what went to one table then
    would go to another now. So of a batch that was begun only those coordinates count that no table has, and what is
    made of them is an append of its own.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    rows : DataFrame
        The batch, with coordinates.
    batch : Batch
        Which it is.
    stage : str
        Whose batch.
    tables : sequence of str
        Where it goes; each row to one of them.
    where : str
        Condition that keeps the look-up to files that may hold its rows.
    """
    append = Append(stage, batch.checkpoint, batch.number)
    begun = any(lake.appended(table, append) for table in tables)
    if begun:
        append = Append(stage, f"{batch.checkpoint}-rest-{uuid.uuid4().hex}", 0)
    if begun or batch.starts_over:
        rows = lake.not_in(rows, tables, [column.name for column in COORDINATE], where)
    return rows, append


def now(beside: str) -> Column:
    """Return the present time (UTC) as one value for all rows of a batch.

    Spark writes a plain literal into the code it generates, and would compile all of that anew for each batch; taken
    from an array by an index it cannot know, the value stays outside.

    Parameters
    ----------
    beside : str
        Any integer column that is never null.
    """
    from pyspark.sql import functions as F

    return F.element_at(F.array(F.lit(dt.datetime.now(dt.UTC))), F.col(beside) * F.lit(0) + F.lit(1))
