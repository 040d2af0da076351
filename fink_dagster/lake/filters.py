"""What is known of filters: what came of their trials, what was decided of them, and where they failed.

Three tables that are only ever appended to; of two trials of a night and of two decisions the newer one counts. What
follows from them is said in ``filters.trial`` and ``filters.activation``.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fink_dagster.filters.activation import Decision
from fink_dagster.filters.trial import Trial
from fink_dagster.lake.lake import Append
from fink_dagster.lake.reading import EVERYTHING, of_night

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fink_dagster.filters.filter import Filter
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.reading import LakeReader

TRIALS, STATES, ERRORS = "filter_trials", "filter_states", "filter_errors"
_OF_TRIAL = ("filter", "version", "night", "alerts", "passed", "failed", "error", "examples")
_OF_STATE = ("filter", "version", "state", "share_limit", "why")
_OF_ERROR = ("filter", "version", "night", "failed", "error")


@dataclass(frozen=True)
class Failures:
    """On how many alerts a filter failed, why on the last of them, and in which night that was."""

    failed: int
    error: str
    night: str


def trials_in(reader: LakeReader) -> list[Trial]:
    """Return the newest trial of every filter, version and night, oldest first."""
    newest: dict[tuple[str, str, str], Trial] = {}
    for row in _rows(reader, TRIALS, "tried_at", _OF_TRIAL):
        trial = Trial(**{**row, "examples": tuple(row["examples"] or ())})
        key = (trial.filter, trial.version, trial.night)
        newest.pop(key, None)
        newest[key] = trial
    return list(newest.values())


def decisions_in(reader: LakeReader) -> list[Decision]:
    """Return all that was decided, oldest first."""
    return [Decision(**row) for row in _rows(reader, STATES, "changed_at", _OF_STATE)]


def failures_in(reader: LakeReader, night: str | None = None) -> dict[tuple[str, str], Failures]:
    """Return by filter and version on how many alerts it failed, in one night or in all, trials left out."""
    found: dict[tuple[str, str], Failures] = {}
    where = of_night(night) if night else EVERYTHING
    for row in _rows(reader, ERRORS, "failed_at", _OF_ERROR, where):
        key = (row["filter"], row["version"])
        before = found[key].failed if key in found else 0
        found[key] = Failures(before + row["failed"], row["error"], row["night"])
    return found


def keep_trial(lake: Lake, trial: Trial) -> None:
    """Write down what came of a trial."""
    row = {**asdict(trial), "examples": list(trial.examples), "tried_at": dt.datetime.now(dt.UTC)}
    _append(lake, TRIALS, [row], Append(TRIALS, uuid.uuid4().hex, 0))


def keep_decision(lake: Lake, decision: Decision) -> None:
    """Write down what was decided."""
    row = {**asdict(decision), "changed_at": dt.datetime.now(dt.UTC)}
    _append(lake, STATES, [row], Append(STATES, uuid.uuid4().hex, 0))


def keep_failures(
    lake: Lake, night: str, active: Sequence[Filter], failed: Mapping[str, int], why: Mapping[str, str], append: Append
) -> None:
    """Write down, once for a batch, on how many of its alerts filters failed.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    night : str
        Whose batch.
    active : sequence of Filter
        Those that judged it.
    failed : mapping
        Name of a filter -> alerts it failed on; those that did not fail are not in it.
    why : mapping
        Name of a filter -> what was wrong.
    append : Append
        What makes it the same batch when it comes again.
    """
    now, versions = dt.datetime.now(dt.UTC), {item.name: item.version for item in active}
    rows = [
        {
            "failed_at": now,
            "night": night,
            "filter": name,
            "version": versions[name],
            "failed": number,
            "error": " ".join(why[name].split()),
        }
        for name, number in sorted(failed.items())
    ]
    if rows:
        _append(lake, ERRORS, rows, append)


def _append(lake: Lake, table: str, rows: list[dict[str, Any]], append: Append) -> None:
    schema = lake.spark.table(lake.name(table)).schema
    lake.append(table, lake.spark.createDataFrame(rows, schema).coalesce(1), append)


def _rows(
    reader: LakeReader, table: str, time: str, columns: tuple[str, ...], where: Any = EVERYTHING
) -> list[dict[str, Any]]:
    found = reader.rows(table, (time, *columns), where)
    return found.sort_by(time).select(list(columns)).to_pylist() if found else []
