"""What a measure is given and what it returns, and what must hold of it. Nothing is measured here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import OperationError
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey


@dataclass(frozen=True)
class Task:
    """What waits to be taken in: the messages of one night, in Kafka, or its science alerts, in the lake.

    Parameters
    ----------
    spark : SparkSession
        One for all measures.
    settings : Settings
        Of the running servers.
    night : Night
        Whose messages or alerts; of messages its only topic holds nothing else.
    number : int
        How many they are.
    name : str
        Made for this round alone: names tables, checkpoints, user topics and HBase tables.
    """

    spark: SparkSession
    settings: Settings
    night: Night
    number: int
    name: str

    def survey(self) -> Survey:
        """Return ZTF under the round's name, so that it finds nothing done before."""
        return named(self.name)


@dataclass(frozen=True)
class Outcome:
    """What came of a measure.

    Parameters
    ----------
    alerts : int
        How many were taken in; all there were.
    seconds : float
        How long that took [s].
    about : mapping
        What else the report says of it.
    """

    alerts: int
    seconds: float
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Alerts a second."""
        return self.alerts / self.seconds


def named(name: str) -> Survey:
    """Return ZTF under another name, and with it tables and topics of its own."""
    survey = ZTF()
    survey.name = name
    return survey


def must_be_all(measure: str, wanted: int, stored: int) -> None:
    """Raise :class:`~fink_dagster.errors.OperationError` unless a measure stored what there was."""
    if stored != wanted:
        message = f"bench {measure}: must take in {wanted} alerts; got {stored}; its speed would mean nothing"
        raise OperationError(message)


def must_not_fail(failures: Mapping[str, str]) -> None:
    """Raise :class:`~fink_dagster.errors.OperationError` when a stage had to try again: the pause would be measured."""
    if failures:
        message = f"bench: every batch must get through at once; got {json.dumps(failures)}; mend that first"
        raise OperationError(message)
