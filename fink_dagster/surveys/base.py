"""What the platform asks of a survey: the protocol, the night, and the declarations a survey is made of.

A survey says how bytes become alerts, what a night is, which topics belong to it, which cuts apply and what identifies
an alert. Stages, lake, accounts and assets know this module only; nothing of one particular survey belongs here.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from fink_dagster.surveys.archive import ArchiveTable, NightStatistics

EPOCH = dt.date(1970, 1, 1)
LAST_DAY = (dt.date(2200, 1, 1) - EPOCH).days
"""A time beyond is a damaged number; a night made of it would be a partition nobody looks into."""


@dataclass(frozen=True, order=True)
class Night:
    """An observing night, the partition key of everything.

    Parameters
    ----------
    key : str
        ``YYYY-MM-DD``. What interval of time it names is the survey's affair (:class:`NightRule`).
    """

    key: str

    @classmethod
    def parse(cls, text: str) -> Night:
        """Make a night from ``YYYY-MM-DD``.

        Raises
        ------
        UserError
            When the text is not a date of that form between 1970 and 2200.

        Examples
        --------
        >>> Night.parse("2018-08-19").compact
        '20180819'
        """
        try:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError(text)
            days = (dt.date.fromisoformat(text) - EPOCH).days
        except ValueError:
            message = f"night: must be a date as YYYY-MM-DD; got {text[:40]!r}; for example 2018-08-19"
            raise UserError(message) from None
        if not 0 <= days < LAST_DAY:
            message = f"night: must be between 1970 and 2200; got {text!r}; for example 2018-08-19"
            raise UserError(message)
        return cls(text)

    @classmethod
    def of_day(cls, days: int) -> Night:
        """Make a night from the number of days since 1970-01-01."""
        return cls((EPOCH + dt.timedelta(days=days)).isoformat())

    @property
    def day(self) -> int:
        """Days since 1970-01-01."""
        return (dt.date.fromisoformat(self.key) - EPOCH).days

    @property
    def compact(self) -> str:
        """``YYYYMMDD``, the form used inside topic names and HBase keys."""
        return self.key.replace("-", "")

    def __str__(self) -> str:
        return self.key


def night_interval(text: str) -> tuple[Night, Night]:
    """Return the first and the last night of ``A..B``; both are ``A`` where that is all.

    Raises
    ------
    UserError
        When one is no night, or the last comes before the first.
    """
    first, _, last = text.partition("..")
    begin, end = Night.parse(first), Night.parse(last or first)
    if end < begin:
        message = f"nights: must end after they begin; got {text[:40]!r}; for example 2018-08-19..2018-11-29"
        raise UserError(message)
    return begin, end


@dataclass(frozen=True)
class NightRule:
    """How an alert's own time names its night: ``floor(time - zero)`` days after 1970-01-01.

    Plain arithmetic on the number in the packet: no clock, no time zone, the same on every machine.

    Parameters
    ----------
    field : str
        Dotted path of the time in the alert.
    zero : float
        The time, in the field's own scale [d], at which night 1970-01-01 begins.
    unix_zero : float
        The same instant as a Unix time [s]; it tells when a night is over.
    """

    field: str
    zero: float
    unix_zero: float = 0.0

    def night(self, time: float) -> Night:
        """Return the night of a time in the field's scale [d].

        Raises
        ------
        ValueError
            When the time is not a number between 1970 and 2200.
        """
        if not 0 <= time - self.zero < LAST_DAY:
            message = f"{self.field}: must be a time between 1970 and 2200; got {time}"
            raise ValueError(message)
        return Night.of_day(math.floor(time - self.zero))

    def ends_at(self, night: Night) -> dt.datetime:
        """Return the UTC instant at which a night is over (exclusive)."""
        return dt.datetime.fromtimestamp((night.day + 1) * 86400 + self.unix_zero, tz=dt.UTC)


@dataclass(frozen=True)
class Cut:
    """One quality cut: an alert passes when ``field operator value`` holds; a null or a NaN fails.

    Parameters
    ----------
    reason : str
        What the books call an alert rejected by it.
    field : str
        Dotted path in the alert.
    operator : {"==", "!=", ">="}
        How the field is compared.
    value : float
        What with.
    """

    reason: str
    field: str
    operator: Literal["==", "!=", ">="]
    value: float


@dataclass(frozen=True)
class Header:
    """What a message says of its own schema, before its body.

    Parameters
    ----------
    raw : bytes
        The bytes that every message written with this schema begins with.
    schema : dict
        The writer's Avro schema as found, records and unions in the writer's order.
    schema_json : str
        The same as text.
    compressed : bool
        True when the body is compressed, so that only the Python decoder can read it.
    """

    raw: bytes
    schema: Mapping[str, Any]
    schema_json: str
    compressed: bool = False


class Framing(Protocol):
    """How a survey packs one alert into one message."""

    def header(self, message: bytes) -> Header:
        """Read what stands before the body; raises :class:`~fink_dagster.errors.CorruptData`."""
        ...

    def body(self, message: bytes, header: Header) -> bytes:
        """Return the one record's schemaless Avro bytes, the message read to its end; raises ``CorruptData``."""
        ...

    def with_alert(
        self, messages: DataFrame, column: str, header: Header, writer: str, reader: str
    ) -> tuple[DataFrame, Column]:
        """Decode in the JVM the messages that begin with a header.

        Parameters
        ----------
        messages : DataFrame
            With a binary column ``value``; every column is passed through.
        column : str
            Name of a struct to add, whose field ``alert`` is the alert or null; other columns may be added that begin
            with this name and an underscore.
        header : Header
            The header to recognise.
        writer, reader : str
            Avro schemas as JSON, records named alike: what was written, what is wanted.

        Returns
        -------
        DataFrame, Column
            The messages with the struct, and the condition under which the message was read to its end.
        """
        ...


class Survey(Protocol):
    """A survey, as the platform sees it. A new survey is one new module with one object of this shape."""

    name: str
    """Lower-case name: namespace of its tables, prefix of its asset keys."""
    alert_schema: Mapping[str, Any]
    """Avro schema with every field known today, all nullable, with meaning and unit in ``doc``."""
    framing: Framing
    night_rule: NightRule
    first_night: Night
    """The first night the survey ever sent."""
    identifier: str
    """Field that identifies one alert; a second alert of a night with the same value is a duplicate."""
    object_identifier: str
    """Field that names the object on the sky the alert belongs to."""
    required: Sequence[str]
    """Dotted paths a writer schema must have to be this survey's, whatever its records are called."""
    never_null: Sequence[str]
    """Dotted paths without a value of which an alert cannot be kept or found again."""
    cuts: Sequence[Cut]
    """Quality cuts in the order in which the first failing one gives the reason."""
    topic_partitions: int
    archive_tables: Sequence[ArchiveTable]
    """Tables of the archive beside the main one."""
    statistics: NightStatistics
    """What is counted of each night."""

    def topics(self, night: Night) -> list[str]:
        """Return the survey's topics of a night, by concrete name."""
        ...

    def night_of_topic(self, topic: str) -> Night | None:
        """Return the night a topic belongs to, or None when the survey has no such topic."""
        ...
