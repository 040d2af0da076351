"""The account beside what the servers say now: messages in Kafka, rows in HBase, where they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fink_dagster.accounts.closing import topics_of
from fink_dagster.errors import OperationError
from fink_dagster.hbase.writer import count_rows
from fink_dagster.kafka.clients import distribution_client, survey_client
from fink_dagster.kafka.topics import existing_topics, offsets
from fink_dagster.stages.archive import archive_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from fink_dagster.accounts.account import Account
    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey


def live_counts(settings: Settings, survey: Survey, night: Night, account: Account) -> dict[str, Any]:
    """Return what the servers say of a night, and whether it agrees; a silent server is said to be silent.

    Returns
    -------
    dict
        ``survey_kafka``, ``distribution_kafka`` and ``hbase``, each with ``answers``, ``agrees`` and counts.
    """
    ends = {topic: {part: _end(of) for part, of in parts.items()} for topic, parts in account.offsets.items()}
    return {
        "survey_kafka": _asked(lambda: _survey_ends(settings, survey, night), ends),
        "distribution_kafka": _asked(lambda: _topics_there(settings, account), sorted(account.distributed)),
        "hbase": _asked(
            lambda: {survey.name: count_rows(settings.hbase, archive_table(survey), night)}, account.archived
        ),
    }


def _asked(ask: Callable[[], Any], expected: Any) -> dict[str, Any]:
    try:
        found = ask()
    except OperationError as error:
        return {"answers": False, "agrees": None, "why": str(error)}
    return {"answers": True, "agrees": found == expected, "found": found}


def _survey_ends(settings: Settings, survey: Survey, night: Night) -> dict[str, dict[str, int]]:
    client = survey_client(settings)
    return {t: {str(p): end for p, (_, end) in offsets(client, t).items()} for t in topics_of(settings, survey, night)}


def _end(of: dict[str, int | None]) -> int:
    return 0 if of["last"] is None else of["last"] + 1


def _topics_there(settings: Settings, account: Account) -> list[str]:
    return sorted(existing_topics(distribution_client(settings), account.distributed))
