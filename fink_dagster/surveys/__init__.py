"""The surveys the platform knows, by name. A new survey is one new module and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.errors import unknown
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from fink_dagster.surveys.base import Survey

_SURVEYS: dict[str, Survey] = {survey.name: survey for survey in (ZTF(),)}


def survey_names() -> list[str]:
    """Return the names of all surveys."""
    return sorted(_SURVEYS)


def get_survey(name: str) -> Survey:
    """Return a survey by name.

    Raises
    ------
    UserError
        When there is none of that name.
    """
    if name not in _SURVEYS:
        raise unknown("survey", name, _SURVEYS)
    return _SURVEYS[name]
