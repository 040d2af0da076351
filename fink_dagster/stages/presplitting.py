"""New tables of the archive split by the keys they are about to get, where the setting asks for several regions.

The keys are those of science alerts the lake has already. How a table is split is said in ``hbase.splitting``; that all
tables are there, split or not, is the archive's affair.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fink_dagster.hbase.keys import row_key
from fink_dagster.hbase.objects import places_table
from fink_dagster.hbase.rows import key_of
from fink_dagster.hbase.splitting import absent, create_split, splits_for
from fink_dagster.stages.archive_rows import acknowledged, alerts_in, point_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.hbase.tables import Table
    from fink_dagster.stages.stage import NightContext

SAMPLE_ALERTS = 5_000
"""Whose keys say where tables are split: fifty regions have a hundred each, and it takes some seconds."""


def create_absent(context: NightContext, tables: Sequence[Table]) -> None:
    """Create those tables that are not there, split by the keys of alerts in the lake; one without a key in a region.

    Parameters
    ----------
    context : NightContext
        Any night of the survey.
    tables : sequence of Table
        All tables of its archive, the main one first; those beside the ones with a row an object are created too.

    Raises
    ------
    TransientError
        When HBase is away; the same call again is right.
    """
    settings = context.settings
    beside = [places_table(table) for table in tables if table.newest_of_object]
    if missing := absent(settings.hbase, [*tables, *beside]):
        keys = _sample(context, tables)
        create_split(settings, {table: splits_for(keys[table.name], settings.hbase_regions) for table in missing})


def _sample(context: NightContext, tables: Sequence[Table]) -> dict[str, list[bytes]]:
    """Return row keys by table."""
    keys: dict[str, list[bytes]] = defaultdict(list)
    rows = context.lake.read("science_alerts").limit(SAMPLE_ALERTS)
    made = acknowledged(rows, context.survey, tables, lambda table, rows: None)
    for row in made.select("row_key", "index_keys").toArrow().to_pylist():
        for name, key in [(tables[0].name, row["row_key"]), *row["index_keys"]]:
            keys[name].append(key)
    for table in tables:
        if table.history:
            keys[table.name] += point_keys(rows, context.survey, table).toArrow()["row_key"].to_pylist()
        elif table.newest_of_object:
            objects = {alert.name: key_of(table, alert.record) for alert in alerts_in(rows, context.survey, table)}
            keys[table.name] += filter(None, objects.values())
            keys[places_table(table).name] += map(row_key, objects)
    return keys
