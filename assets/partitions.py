"""The observing night as Dagster's partition. A night is named by the alerts' own time, so the zone is always UTC.

https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from fink_dagster.surveys.base import Survey


def nights(survey: Survey) -> dg.DailyPartitionsDefinition:
    """Return the nights of a survey; tonight's key exists before the night is over, hence the offset of one."""
    return dg.DailyPartitionsDefinition(start_date=survey.first_night.key, timezone="UTC", end_offset=1)
