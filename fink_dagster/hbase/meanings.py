"""What the columns of answers from the archive mean, with their units, as the survey and the platform declare them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fink_dagster.hbase.light_curve import TAG
from fink_dagster.hbase.reader import SEPARATION
from fink_dagster.lake.tables import tables
from fink_dagster.lake.types import meanings
from fink_dagster.surveys.avro import not_null

if TYPE_CHECKING:
    from fink_dagster.surveys.base import Survey

_UNIT = re.compile(r"\[([^\][]+)\]$")
_OF_ANSWERS = {
    SEPARATION.name: "distance from the centre of the search [arcsec]",
    TAG.name: "valid: an alert; badquality: a measurement that fails the cuts; upperlim: nothing above the noise",
}


def column_meanings(survey: Survey) -> dict[str, str]:
    """Return name and meaning of every column of an answer; a unit stands last, in brackets."""
    found = {column.name: column.meaning for column in tables(survey)["science_alerts"].columns}
    record = survey.night_rule.field.rpartition(".")[0]
    inner = [not_null(field["type"]) for field in survey.alert_schema["fields"] if field["name"] == record]
    for schema in inner:
        found = {**meanings(schema), **{name: text for name, text in found.items() if text}}
    return {name: text for name, text in {**found, **_OF_ANSWERS}.items() if text}


def unit_in(meaning: str) -> str:
    """Return the unit at the end of a meaning, or an empty text.

    Examples
    --------
    >>> unit_in("PSF mag of the difference [mag]")
    'mag'
    """
    found = _UNIT.search(meaning)
    return found.group(1) if found else ""
