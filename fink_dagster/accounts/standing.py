"""How every filter stands: whether it sends and why not, what it passed of late, and where it last failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fink_dagster.accounts.filters import last_closed_night
from fink_dagster.filters.activation import ACTIVE, INACTIVE, decision_on, is_active, limit_of
from fink_dagster.filters.registry import entries
from fink_dagster.filters.trial import together
from fink_dagster.lake.filters import decisions_in, failures_in, trials_in
from fink_dagster.stages.judgement import absent_inputs

if TYPE_CHECKING:
    from fink_dagster.filters.filter import Filter
    from fink_dagster.filters.own import Entry
    from fink_dagster.lake.reading import LakeReader
    from fink_dagster.surveys.base import Survey

REFUSED, UNABLE = "refused", "unable"


@dataclass(frozen=True)
class Standing:
    """A filter, or what was found in place of one.

    Parameters
    ----------
    name, source : str
        Which, and where it comes from.
    state : {"active", "inactive", "refused", "unable"}
        Whether it sends; one that is refused cannot be taken, one that is unable lacks inputs.
    why : str
        Why it does not send; empty where it does, or nobody has decided.
    version, owner, topic : str, optional
        As it declares them; None where nothing could be loaded.
    passed, alerts : int
        What it passed, of how many.
    nights : tuple of str
        On which nights: of one that sends the last that was closed, else those on which it was tried.
    share_limit : float, optional
        The largest share of a night's alerts it is meant to pass; None where it does not send.
    error : str
        Where and why it last failed; empty when this version never did.
    """

    name: str
    source: str
    state: str
    why: str = ""
    version: str | None = None
    owner: str | None = None
    topic: str | None = None
    passed: int = 0
    alerts: int = 0
    nights: tuple[str, ...] = ()
    share_limit: float | None = None
    error: str = ""

    @property
    def share(self) -> float | None:
        """Which part of the alerts passed; None where it has seen none."""
        return self.passed / self.alerts if self.alerts else None


def standings(reader: LakeReader, survey: Survey) -> list[Standing]:
    """Return how every filter there is stands with a survey's alerts, by name."""
    known = _Known(reader, survey)
    return [known.standing(entry) for entry in entries()]


class _Known:
    """What the lake holds of filters, read once."""

    def __init__(self, reader: LakeReader, survey: Survey) -> None:
        self.survey = survey
        self.trials, self.decisions, self.failures = trials_in(reader), decisions_in(reader), failures_in(reader)
        self.last = last_closed_night(reader)

    def standing(self, entry: Entry) -> Standing:
        item = entry.filter
        if entry.why or item is None:
            return Standing(entry.name, entry.source, REFUSED if entry.is_own else UNABLE, entry.why)
        topic = item.topic(self.survey.name)
        found = Standing(
            entry.name, entry.source, INACTIVE, "", item.version, item.owner, topic, error=self._error(item)
        )
        if absent := absent_inputs(item, self.survey):
            got = ", ".join(absent)
            why = f"must find its inputs in science_alerts; got no {got}; add a science module that gives them"
            return replace(found, state=UNABLE, why=why)
        if is_active(entry, self.decisions):
            found = replace(found, state=ACTIVE, share_limit=limit_of(entry, self.decisions))
            return self._with_last_night(found)
        return self._with_trials(replace(found, why=self._why_not(entry, item)))

    def _why_not(self, entry: Entry, item: Filter) -> str:
        decision = decision_on(entry, self.decisions)
        if decision:
            return decision.why
        others = [one.version for one in self.decisions if one.filter == item.name and one.state == ACTIVE]
        was = f"version {others[-1]} was activated and this is version {item.version}" if others else ""
        return f"{was}; try it and activate it again" if was else ""

    def _with_last_night(self, found: Standing) -> Standing:
        if self.last and found.topic in self.last.distributed:
            passed, night = self.last.distributed[found.topic], (self.last.night,)
            return replace(found, passed=passed, alerts=self.last.science, nights=night)
        return self._with_trials(found)

    def _with_trials(self, found: Standing) -> Standing:
        mine = [one for one in self.trials if (one.filter, one.version) == (found.name, found.version)]
        passed, alerts = together(mine)
        return replace(found, passed=passed, alerts=alerts, nights=tuple(sorted(one.night for one in mine)))

    def _error(self, item: Filter) -> str:
        key = (item.name, item.version)
        if failures := self.failures.get(key):
            return f"night {failures.night}: {failures.error}"
        tried = [one for one in self.trials if (one.filter, one.version) == key and one.failed]
        return f"tried on night {tried[-1].night}: {tried[-1].error}" if tried else ""
