"""The life of a night, one row a change in the table ``nights``.

A night is open while its books may still change, so it is opened before anything is stored that changes them. When it
may be closed is the accounts' affair.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fink_dagster.lake.lake import Append
from fink_dagster.lake.reading import of_night

if TYPE_CHECKING:
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.reading import LakeReader

OPEN, CLOSED = "open", "closed"
Offsets = dict[str, dict[str, dict[str, int]]]
"""Topic -> partition -> ``first`` and ``end`` offset and number of ``messages`` between them."""


@dataclass(frozen=True)
class NightState:
    """The newest state of a night."""

    state: str
    changed_at: dt.datetime
    run_id: str
    offsets: Offsets
    account: dict[str, Any] | None


def state_of(reader: LakeReader, night: str) -> NightState | None:
    """Return the newest state of a night, or None when it never began."""
    rows = reader.rows("nights", ("changed_at", "state", "run_id", "offsets", "account"), of_night(night))
    if rows is None or not len(rows):
        return None
    newest = rows.sort_by("changed_at").to_pylist()[-1]
    held, account = json.loads(newest["offsets"] or "{}"), json.loads(newest["account"] or "null")
    return NightState(newest["state"], newest["changed_at"], newest["run_id"], held, account)


def open_night(lake: Lake, night: str, run: str) -> None:
    """Write down that a night has work to do, unless it is open already."""
    before = state_of(lake.reader, night)
    if before is None or before.state != OPEN:
        change(lake, night, OPEN, run, before.offsets if before else {})


def change(lake: Lake, night: str, state: str, run: str, held: Offsets, account: dict[str, Any] | None = None) -> None:
    """Write down a new state of a night.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    night : str
        Which night.
    state : {"open", "closed"}
        What it is from now on.
    run : str
        Who says so.
    held : dict
        What the night's topics held.
    account : dict, optional
        The account it was closed with.
    """
    now = dt.datetime.now(dt.UTC)
    row = (night, now, state, run, json.dumps(held), json.dumps(account) if account else None)
    schema = lake.spark.table(lake.name("nights")).schema
    lake.append("nights", lake.spark.createDataFrame([row], schema).coalesce(1), Append("nights", uuid.uuid4().hex, 0))
