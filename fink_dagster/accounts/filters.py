"""How filters behaved in nights that were distributed: what they passed, where they failed, and the limit they have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fink_dagster.accounts.nights import SCIENCE, all_nights
from fink_dagster.filters.activation import limit_of
from fink_dagster.filters.registry import get_entry
from fink_dagster.lake.filters import decisions_in, failures_in
from fink_dagster.lake.nights import CLOSED, state_of
from fink_dagster.lake.reading import of_night

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.filters.filter import Filter
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.surveys.base import Survey


@dataclass(frozen=True)
class Behaviour:
    """An active filter in one night.

    Parameters
    ----------
    filter, version : str
        Which filter.
    alerts : int
        Science alerts of the night.
    passed, failed : int
        How many of them it passed, and on how many it failed.
    share_limit : float
        The largest share it is meant to pass.
    error : str
        Why it failed on the last of those; empty when it did not.
    """

    filter: str
    version: str
    alerts: int
    passed: int
    failed: int
    share_limit: float
    error: str = ""

    @property
    def share(self) -> float:
        """Which part of the alerts passed; 0 without alerts."""
        return self.passed / self.alerts if self.alerts else 0.0

    @property
    def is_right(self) -> bool:
        """True when it failed on no alert and did not pass more than it is meant to."""
        return not self.failed and self.share <= self.share_limit


@dataclass(frozen=True)
class ClosedNight:
    """A closed night: its science alerts, and what each of its topics got."""

    night: str
    science: int
    distributed: dict[str, int]


def behaviour_in(reader: LakeReader, survey: Survey, night: str, active: Sequence[Filter]) -> list[Behaviour]:
    """Return how filters behaved in a night.

    Parameters
    ----------
    reader : LakeReader
        The survey's tables.
    survey : Survey
        Whose night.
    night : str
        Which night.
    active : sequence of Filter
        Those the night was distributed by.
    """
    sent, alerts = _passed_in(reader, survey, night), reader.count_night(SCIENCE, night)
    failures, decisions = failures_in(reader, night), decisions_in(reader)
    found = []
    for item in active:
        failed = failures.get((item.name, item.version))
        found.append(
            Behaviour(
                filter=item.name,
                version=item.version,
                alerts=alerts,
                passed=sent[item.name],
                failed=failed.failed if failed else 0,
                share_limit=limit_of(get_entry(item.name), decisions),
                error=failed.error if failed else "",
            )
        )
    return found


def _passed_in(reader: LakeReader, survey: Survey, night: str) -> Counter[str]:
    rows = reader.rows("distributed", ("filter", survey.identifier), of_night(night))
    sent = {(row["filter"], row[survey.identifier]) for row in (rows.to_pylist() if rows else [])}
    return Counter(name for name, _ in sent)


def last_closed_night(reader: LakeReader) -> ClosedNight | None:
    """Return the newest closed night with science alerts, or None."""
    for night in reversed(all_nights(reader)):
        state = state_of(reader, night)
        if state and state.state == CLOSED and state.account and state.account["science"]:
            return ClosedNight(night, state.account["science"], state.account["distributed"])
    return None
