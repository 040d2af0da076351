"""redrive: quarantined messages once more through stream2raw, after whatever was wrong has been mended.

It is stream2raw that decodes, chooses duplicates, opens nights and writes. Here the messages are chosen, and those that
still are no alert are counted: quarantine has them already.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING

from fink_dagster.lake.lake import Append
from fink_dagster.lake.quarantine import TABLE, coordinate_of, followed
from fink_dagster.stages.stream2raw import NAME, SchemaWidened, Stream2Raw, among, messages_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from fink_dagster.lake.quarantine import Place, Selection
    from fink_dagster.stages.stage import NightContext


def redrive(context: NightContext, selection: Selection) -> dict[str, int]:
    """Take selected messages that count as quarantined as stream2raw takes any batch; the night's lease must be held.

    Parameters
    ----------
    context : NightContext
        The night the messages' topics belong to.
    selection : Selection
        Which of its messages.

    Returns
    -------
    dict
        Code -> how many messages still are no alert, by what is wrong with them now.
    """
    found = followed(context.lake.reader, selection)
    waiting = sorted(coordinate_of(row) for row in found if row["redriven_to"] is None)
    most, refused = context.settings.max_offsets_per_trigger, Counter[str]()
    for begin in range(0, len(waiting), most):
        refused += _taken(context, waiting[begin : begin + most])
    return dict(sorted(refused.items()))


def _taken(context: NightContext, places: list[Place]) -> Counter[str]:
    """Take the messages at some coordinates, and count those that still are no alert."""
    refused = Counter[str]()

    def count(wrong: DataFrame, _: Append) -> None:
        refused.update({row["code"]: row["count"] for row in wrong.groupBy("code").count().collect()})

    # That raw_alerts did not hold them is what makes this append happen once; the name tells it from a stream's.
    append = Append(NAME, f"redrive-{uuid.uuid4().hex}", 0)
    try:
        Stream2Raw(context).take(messages_of(among(_in_quarantine(context), places)), append, count)
    except SchemaWidened:
        # The tables have the new fields now; nothing was written, and no query of this night is running.
        return _taken(context, places)
    return refused


def _in_quarantine(context: NightContext) -> DataFrame:
    """Return the night's part of quarantine with its columns named as those of a message from Kafka."""
    from pyspark.sql import functions as F

    rows = context.lake.read(TABLE).where(F.col("night") == context.night.key)
    return rows.withColumnRenamed("kafka_timestamp", "timestamp")
