"""Closing a night: its books are made, and only when they add up is it written down as closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster.accounts.account import Account, account_of
from fink_dagster.accounts.flow import flow_of
from fink_dagster.accounts.nights import held_by
from fink_dagster.errors import OperationError
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.topics import existing_topics, offsets
from fink_dagster.lake.nights import CLOSED, change, state_of
from fink_dagster.lake.reading import LakeReader, may_hold, newest, since
from fink_dagster.local.exclusion import alone
from fink_dagster.stages.seen import raw_lock

if TYPE_CHECKING:
    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.nights import Offsets
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey


def close_night(lake: Lake, settings: Settings, night: Night, run: str) -> Account:
    """Make the account of a drained night, and when it closes write the night down as closed.

    A night that was closed with the same account already is left as it is.

    Parameters
    ----------
    lake : Lake
        The survey's tables.
    settings : Settings
        Where Kafka is.
    night : Night
        Which night.
    run : str
        Who closes it.

    Raises
    ------
    OperationError
        When nothing at all is stored for the night.
    """
    survey, before = lake.survey, state_of(lake.reader, night.key)
    # A topic that has expired since is remembered as it was.
    held = {**(before.offsets if before else {}), **held_by(settings, lake.reader, topics_of(settings, survey, night))}
    while True:
        counted = newest(lake.reader.table("raw_alerts"))
        account = account_of(settings, survey, night, held)
        if account is None:
            message = f"night {night} ({survey.name}): must have a topic or alerts; there is neither; replay it first"
            raise OperationError(message)
        if not account.closes:
            return account
        with alone(raw_lock(settings, survey)):
            # Another night's run may have stored alerts of this one while they were counted.
            if not any(may_hold(snapshot, night.key) for snapshot in since(lake.reader.table("raw_alerts"), counted)):
                _write_down(lake, night, run, held, account)
                return account


def _write_down(lake: Lake, night: Night, run: str, held: Offsets, account: Account) -> None:
    before = state_of(lake.reader, night.key)
    same = before is not None and (before.state, before.offsets, before.account) == (CLOSED, held, account.as_books())
    if not same:
        change(lake, night.key, CLOSED, run, held, account.as_books())


def topics_of(settings: Settings, survey: Survey, night: Night) -> list[str]:
    """Return the night's topics that exist."""
    return sorted(existing_topics(survey_client(settings), survey.topics(night)))


def has_news(settings: Settings, survey: Survey, night: Night) -> bool | None:
    """Tell whether a night has messages not read or alerts not processed; None when it has nothing at all.

    Raises
    ------
    TransientError
        When the survey's Kafka does not answer.
    """
    reader = LakeReader(settings, survey.name)
    topics = topics_of(settings, survey, night)
    state = state_of(reader, night.key)
    if not topics and state is None and not reader.count_night("raw_alerts", night.key):
        return None
    if state is None or state.state != CLOSED:
        return True
    now = {topic: {str(p): end for p, (_, end) in offsets(survey_client(settings), topic).items()} for topic in topics}
    then = {topic: {part: ends["end"] for part, ends in parts.items()} for topic, parts in state.offsets.items()}
    return any(now[topic] != then.get(topic) for topic in now) or not flow_of(reader, survey, night, waiting=0).drained
