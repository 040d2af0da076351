"""The tables of an archive that is to have several regions, split by the alerts the lake has."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fink_dagster.hbase.connection import connect
from fink_dagster.stages.archive import Archive
from fink_dagster.surveys.ztf import ZTF
from tests.integration.stages.archives import drop, enriched, table_names, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

    from fink_dagster.stages.stage import NightContext


@pytest.mark.slow
def test_new_tables_have_the_regions_asked_for_where_there_are_keys_and_the_same_rows(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> None:
    context.survey.archive_tables = ZTF.archive_tables
    rows = enriched(context, batch_of, packets)
    Archive(context).put(rows).collect()
    whole = values(context)
    drop(context, *table_names(context))
    context = replace(context, settings=context.settings.model_copy(update={"hbase_regions": 3}))
    Archive(context).put(rows).collect()
    assert values(context) == whole
    with closing(connect(*context.settings.hbase)) as connection:
        starts = {
            name: [region["start_key"] for region in connection.table(name).regions()] for name in table_names(context)
        }
    assert {name: len(bounds) for name, bounds in starts.items()} == {
        name: 3 if rows_there else 1 for name, rows_there in whole.items()
    }
    assert all(bound in whole[name] for name, bounds in starts.items() for bound in bounds[1:])
