"""What a survey declares of the tables its science alerts are archived in, beside the main one: keys, columns, rows.

Declarations alone. What keys and cells are in bytes belongs to ``hbase``, when rows are written to the archive stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fink_dagster.surveys.base import Cut


@dataclass(frozen=True)
class History:
    """Rows that are points of an alert's history.

    Parameters
    ----------
    path : str
        Array of records in the alert, oldest point first.
    measured : str
        Field of a point that is null where nothing was measured.
    cuts : tuple of Cut
        Measured points that fail one of these are rows; without cuts, unmeasured points are, of those alerts whose
        newest point is one. A cut's field is one of the points'.
    days : int
        Longest time between a point and its alert [d].
    """

    path: str
    measured: str
    cuts: tuple[Cut, ...] = ()
    days: int = 31


@dataclass(frozen=True)
class ArchiveTable:
    """A table that is searched by something else than the object.

    Parameters
    ----------
    name : str
        Follows the survey's name and a dot.
    holds : str
        One sentence for those who search.
    key : tuple of str
        Paths in the science table of what the row key is made of, in this order; of a history, fields of its points or
        of the alert. An alert that lacks one of them, or has an empty text there, has no row. The alert's identifier
        comes last by itself where a row is an alert.
    columns : tuple of str
        Paths of what it holds beside the night; those nobody adds (yet) are left out.
    where : tuple of Cut
        What an alert must pass to have a row.
    newest_of_object : bool
        Whether an object has one row, made of its newest alert.
    history : History, optional
        When rows are points of a history.
    """

    name: str
    holds: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    where: tuple[Cut, ...] = ()
    newest_of_object: bool = False
    history: History | None = None


@dataclass(frozen=True)
class NightStatistics:
    """What is counted of a night's science alerts, by name of the count.

    Parameters
    ----------
    where : mapping
        Count -> path and the one value it counts.
    distinct : mapping
        Count -> path whose different values it counts.
    classes : str
        Path of a text; each of its values is a count of its own.
    simbad : str
        Path of SIMBAD's type; alerts with a label, and with one that may host a supernova, are counted.
    """

    where: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    distinct: Mapping[str, str] = field(default_factory=dict)
    classes: str = ""
    simbad: str = ""
