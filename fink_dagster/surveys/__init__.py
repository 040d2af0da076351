"""The surveys the platform knows, by name. A new survey is one new module and one line here."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError
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
    if name in _SURVEYS:
        return _SURVEYS[name]
    near = difflib.get_close_matches(name, _SURVEYS, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(survey_names())}"
    message = f"survey: must be one the platform knows; got {name[:40]!r}; {hint}"
    raise UserError(message)
