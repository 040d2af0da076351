"""The claim that a night's filters passed no more than they are meant to, and failed on no alert.

It warns and stops nothing: what was sent was sent. Made by the night's own run, on what it distributed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.accounts.filters import Behaviour
    from fink_dagster.surveys.base import Survey

NAME = "filters_behave"
_COLUMNS = {
    "filter": "string",
    "version": "string",
    "passed": "int",
    "share": "float",
    "share_limit": "float",
    "failed": "int",
    "error": "string",
}


def filters_spec(survey: Survey, nights: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    """Return the declaration of the check, one result a night."""
    with warnings.catch_warnings():
        # Dagster calls partitions of checks a preview; without them only the newest night would have a result.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            NAME,
            asset=dg.AssetKey([survey.name, "distributed"]),
            description="No active filter failed on an alert, or passed a larger share of a night than it is meant to.",
            blocking=False,
            partitions_def=nights,
        )


def filters_behave(survey: Survey, behaviours: Sequence[Behaviour]) -> dg.AssetCheckResult:
    """Return the result of the check for one night."""
    records = [dg.TableRecord({name: getattr(each, name) for name in _COLUMNS}) for each in behaviours]
    columns = [dg.TableColumn(name, kind) for name, kind in _COLUMNS.items()]
    wrong = [each.filter for each in behaviours if not each.is_right]
    return dg.AssetCheckResult(
        passed=not wrong,
        check_name=NAME,
        asset_key=dg.AssetKey([survey.name, "distributed"]),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "filters": dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns)),
            "wrong": ", ".join(wrong),
        },
    )
