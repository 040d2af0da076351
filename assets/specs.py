"""The asset graph of a survey as declarations: keys, lineage, owners, kinds, descriptions, column schemas.

Nothing is run here: ``night`` materializes the stages; the external ones are written by others or by the stages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from fink_dagster.lake.tables import tables
from fink_dagster.science.lineage import origins
from fink_dagster.science.registry import modules_for
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.judgement import filters_for
from fink_dagster.surveys.avro import by_place, has_path

if TYPE_CHECKING:
    from fink_dagster.hbase.tables import Table as ArchiveTable
    from fink_dagster.lake.tables import Table
    from fink_dagster.science.lineage import Origin
    from fink_dagster.surveys.base import Survey

OWNERS = ["team:operators"]


def key(survey: Survey, *path: str) -> dg.AssetKey:
    """Return the key of a survey's asset."""
    return dg.AssetKey([survey.name, *path])


def stage_specs(survey: Survey) -> list[dg.AssetSpec]:
    """Return the five assets a night's run materializes, upstream first."""
    held = tables(survey)
    topic, raw, science = key(survey, "survey_topic"), key(survey, "raw_alerts"), key(survey, "science_alerts")
    return [
        _stage(survey, held["raw_alerts"], "stream2raw", [topic], {"kafka", "spark", "iceberg"}),
        _stage(survey, held["quarantine"], "stream2raw", [topic], {"kafka", "spark", "iceberg"}),
        _stage(survey, held["science_alerts"], "raw2science", [raw], {"spark", "iceberg"}),
        _stage(survey, held["distributed"], "distribution", [science], {"spark", "kafka"}),
        _stage(survey, held["archived"], "archive", [science], {"spark", "hbase"}),
    ]


def external_specs(survey: Survey) -> list[dg.AssetSpec]:
    """Return what lies outside: the survey's topics, the users' topics, the HBase tables."""
    distributed, archived = key(survey, "distributed"), key(survey, "archived")
    topics = [
        dg.AssetSpec(
            key(survey, "topics", item.topic(survey.name)),
            deps=[distributed],
            description=f"User topic: {item.description}",
            kinds={"kafka"},
            owners=OWNERS,
            group_name=survey.name,
        )
        for item in filters_for(survey)
    ]
    source = dg.AssetSpec(
        key(survey, "survey_topic"),
        description="The survey's own topics, one a night; read only.",
        kinds={"kafka"},
        group_name=survey.name,
    )
    count = dg.AssetSpec(
        key(survey, "topics", f"fink_{survey.name}_night"),
        deps=[distributed],
        description="One topic a night with the identifiers of every science alert, to count against.",
        kinds={"kafka"},
        owners=OWNERS,
        group_name=survey.name,
    )
    archive = [
        dg.AssetSpec(
            key(survey, "hbase", table.name),
            deps=[archived],
            description=f"HBase table: {table.holds}; row key {'_'.join(table.key)}.",
            kinds={"hbase"},
            owners=OWNERS,
            group_name=survey.name,
            metadata={"dagster/column_schema": _cells(table)},
        )
        for table in tables_of(survey)
    ]
    return [source, *topics, count, *archive]


def _stage(survey: Survey, table: Table, stage: str, deps: list[dg.AssetKey], kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key(survey, table.name),
        deps=deps,
        description=f"{stage}: {table.holds}.",
        owners=OWNERS,
        kinds=kinds,
        group_name=survey.name,
        metadata={"dagster/column_schema": column_schema(survey, table), "fink/stage": stage},
    )


def _cells(table: ArchiveTable) -> dg.TableSchema:
    columns = [dg.TableColumn(f"{column.family}:{column.name}", column.type) for column in table.columns]
    return dg.TableSchema(columns=columns)


def column_schema(survey: Survey, table: Table) -> dg.TableSchema:
    """Return a table's columns as Dagster shows them; one a science module adds says which, and from what."""
    found = _origins(survey) if table.name == "science_alerts" else {}
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            f"{column.meaning} ({origin})" if (origin := found.get(column.name)) else column.meaning,
        )
        for column in table.columns
    ]
    return dg.TableSchema(columns=columns)


def column_lineage(survey: Survey) -> dg.TableColumnLineage:
    """Return which columns of raw_alerts each column of science_alerts is made of."""
    held, found = tables(survey), _origins(survey)
    raw = {column.name for column in held["raw_alerts"].columns}
    made_of = {column.name: {column.name} & raw for column in held["science_alerts"].columns}
    made_of |= {name: {field.partition(".")[0] for field in origin.fields} & raw for name, origin in found.items()}
    source = key(survey, "raw_alerts")
    return dg.TableColumnLineage(
        {name: [dg.TableColumnDep(source, column) for column in sorted(of)] for name, of in made_of.items() if of}
    )


def _origins(survey: Survey) -> dict[str, Origin]:
    schema = by_place(survey.alert_schema)
    return origins(modules_for(schema), lambda path: has_path(schema, path))
