"""The account beside what the servers say now: messages in Kafka, rows in HBase, where they answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from fink_dagster.accounts.closing import topics_of
from fink_dagster.errors import OperationError
from fink_dagster.hbase.nights import count_rows
from fink_dagster.kafka.clients import distribution_client, survey_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import existing_topics, offsets
from fink_dagster.stages.archive_rows import tables_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

LISTEN_SECONDS = 1.0


def live_counts(settings: Settings, survey: Survey, night: Night, account: Account) -> dict[str, Any]:
    """Return what the servers say of a night, and whether it agrees; a silent server is said to be silent.

    Returns
    -------
    dict
        ``survey_kafka``, ``distribution_kafka`` and ``hbase``, each with ``answers``, ``agrees`` and counts.
    """
    ends = {topic: {part: _end(of) for part, of in parts.items()} for topic, parts in account.offsets.items()}
    survey_at, users_at = settings.survey_kafka_address, settings.distribution_kafka_address
    hbase_at = "{}:{}".format(*settings.hbase)
    return {
        "survey_kafka": _asked(survey_at, lambda: _survey_ends(settings, survey, night), ends),
        "distribution_kafka": _asked(users_at, lambda: _sent(settings, night, account), account.distributed),
        # The main table alone: to count a night costs a look at every row of a table.
        "hbase": _asked(hbase_at, lambda: _rows(settings, survey, night), {survey.name: account.archived[survey.name]}),
    }


def _asked(address: str, ask: Callable[[], Any], expected: Any) -> dict[str, Any]:
    """Ask a server that listens; one that does not is known to be silent at once, not after a time-out."""
    if not any(_listens(each) for each in address.split(",")):
        return {"answers": False, "agrees": None, "why": f"nothing listens at {address}"}
    try:
        found = ask()
    except OperationError as error:
        return {"answers": False, "agrees": None, "why": str(error)}
    return {"answers": True, "agrees": found == expected, "found": found}


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=LISTEN_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _survey_ends(settings: Settings, survey: Survey, night: Night) -> dict[str, dict[str, int]]:
    client = survey_client(settings)
    return {t: {str(p): end for p, (_, end) in offsets(client, t).items()} for t in topics_of(settings, survey, night)}


def _sent(settings: Settings, night: Night, account: Account) -> dict[str, int]:
    """Count a night's messages in user topics by reading them: offsets also count what marks transactions."""
    client = distribution_client(settings)
    there = existing_topics(client, account.distributed)
    wanted = ("night", night.key.encode())
    return {
        topic: sum(wanted in (message.headers() or []) for message in read_all(client, topic)) if topic in there else 0
        for topic in account.distributed
    }


def _rows(settings: Settings, survey: Survey, night: Night) -> dict[str, int]:
    (main, *_) = tables_of(survey)
    return {main.name: count_rows(settings.hbase, main, night)}


def _end(of: dict[str, int | None]) -> int:
    return 0 if of["last"] is None else of["last"] + 1
