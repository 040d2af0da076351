"""raw2science: a batch that is cut off and comes again, to the same code or to other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.lake.lake import Lake
from fink_dagster.stages.raw2science import OUTCOMES, Raw2Science
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.stages.stream2raw import Stream2Raw

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def test_a_batch_cut_off_between_its_tables_that_comes_again_to_other_cuts_doubles_and_loses_no_alert(
    context: NightContext,
    batch_of: Callable[..., DataFrame],
    packets: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Stream2Raw(context).process(batch_of([*packets[:12], packets[0]]), Batch(0, "raw"))
    append = Lake.append

    def crash(lake: Lake, table: str, *others: Any) -> bool:
        if table == "science_alerts":
            raise KeyboardInterrupt
        return append(lake, table, *others)

    raw = context.lake.read("raw_alerts")
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", crash)
        with pytest.raises(KeyboardInterrupt):
            Raw2Science(context).process(raw, Batch(0, "c"))
    before = _offsets(context)
    assert before["rejected"]
    assert not before["science_alerts"]

    context.survey.cuts = ()
    for _ in range(2):
        Raw2Science(context).process(raw, Batch(0, "c"))
        after = _offsets(context)
        assert (after["rejected"], after["duplicates"]) == (before["rejected"], before["duplicates"])
        assert sorted(offset for offsets in after.values() for offset in offsets) == list(range(13))


def _offsets(context: NightContext) -> dict[str, list[int]]:
    found = {table: context.lake.reader.rows(table, ("offset",)) for table in OUTCOMES}
    return {table: sorted(rows["offset"].to_pylist()) if rows else [] for table, rows in found.items()}
