"""The composition root: one Definitions object from the four folders beside this package.

The only module of ``fink_dagster`` that imports Dagster or looks up into those folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.night import night_assets
from assets.specs import external_specs
from fink_dagster.surveys import get_survey, survey_names
from resources.spark import SparkResource
from resources.streams import StreamsResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fink_dagster.surveys.base import Survey


def night_job(survey: Survey, assets: dg.AssetsDefinition) -> Any:
    """Return the job that streams one night of a survey.

    In one process: a step of the multiprocess executor outlives its killed run and goes on writing.
    """
    return dg.define_asset_job(
        f"{survey.name}_night",
        selection=dg.AssetSelection.assets(assets),
        executor_def=dg.in_process_executor,
        description=f"Stream one night of {survey.name} through the four stages until its account closes.",
    )


def build_definitions(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Return fresh definitions.

    Parameters
    ----------
    resources : mapping, optional
        Resources to use instead of the platform's own, by name; tests give theirs.
    """
    surveys = [get_survey(name) for name in survey_names()]
    stages = {survey.name: night_assets(survey) for survey in surveys}
    spark = SparkResource()
    return dg.Definitions(
        assets=[*stages.values(), *(spec for survey in surveys for spec in external_specs(survey))],
        jobs=[night_job(survey, stages[survey.name]) for survey in surveys],
        resources={"spark": spark, "streams": StreamsResource(spark=spark), **(resources or {})},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
