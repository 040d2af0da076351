"""An object's alerts together with what else was seen of it: upper limits, and points of bad quality.

Such points come from the histories of alerts and have tables of their own. Rules are Fink's (fink-object-api,
``extract_object_data``), but for identifiers, which points keep here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from fink_dagster.errors import UserError
from fink_dagster.hbase.tables import ADDED, Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fink_dagster.hbase.tables import Table
    from fink_dagster.surveys.base import Survey

TAG = Column("tag", "tag", ADDED, "string")
VALID, BAD_QUALITY, UPPER_LIMIT = "valid", "badquality", "upperlim"
"""What a point is: an alert, a measurement that fails the survey's cuts on quality, or nothing above the noise."""


def tables_of_points(survey: Survey, tables: Iterable[Table]) -> dict[str, Table]:
    """Return the tables of points by their tag.

    Raises
    ------
    UserError
        When the survey has none.
    """
    found = {
        BAD_QUALITY if table.history.cuts else UPPER_LIMIT: table
        for table in tables
        if table.history and table.key[0] == survey.object_identifier
    }
    if not found:
        message = (
            f"upper limits: a table of them must be the survey's; {survey.name} has none; ask without upper limits"
        )
        raise UserError(message)
    return found


def merged(frame: pd.DataFrame, name: str, time: str, identifier: str) -> pd.DataFrame:
    """Return points by object and time, oldest first, without those of bad quality that are alerts as well.

    What was measured of an object at one time is one measurement: when it is an alert, the survey's later word on it in
    a history does not count.

    Parameters
    ----------
    frame : DataFrame
        With the column ``tag``.
    name, time, identifier : str
        Columns that tell the object, the time and the alert.
    """
    is_alert = frame[TAG.name] == VALID
    places = pd.MultiIndex.from_frame(frame[[name, time]])
    again = places.isin(places[is_alert.to_numpy(dtype=bool)]) & (frame[TAG.name] == BAD_QUALITY)
    return frame[~again.astype(bool)].sort_values([name, time, identifier])
