"""Searching the archive: alerts by object, by what a table begins its keys with, by night; objects by place.

Answers are pandas frames whose columns have flat names and the declared types. A search reads only the ranges of keys
and the cells it needs, but for that by night, which looks at every key. Everything follows from the declarations in
``tables``; light curves with upper limits are put together in ``light_curve``.
"""

from __future__ import annotations

from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from fink_dagster.errors import UserError, unknown
from fink_dagster.hbase.arguments import name_of_object, part_of
from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.cone import DEC, DIVISIONS, RA, must_be_a_cone, pixels_in, separations_arcsec, table_of_places
from fink_dagster.hbase.frames import chosen, frame_of
from fink_dagster.hbase.keys import row_prefix
from fink_dagster.hbase.light_curve import TAG, VALID, merged, tables_of_points
from fink_dagster.hbase.nights import keys_between
from fink_dagster.hbase.scans import Range, first_parts, range_of, range_of_times, reading, rows_in, rows_of
from fink_dagster.hbase.tables import ADDED, NIGHT, Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fink_dagster.hbase.connection import Address
    from fink_dagster.hbase.keys import Part
    from fink_dagster.hbase.scans import Found
    from fink_dagster.hbase.tables import Table
    from fink_dagster.surveys.base import Night, Survey

    Nights = tuple[Night, Night]
    """First and last, both included."""

SEPARATION = Column("separation_arcsec", "separation_arcsec", ADDED, "double")


class ArchiveReader:
    """The archive of a survey, to be searched.

    Parameters
    ----------
    address : (str, int)
        HBase's Thrift server.
    survey : Survey
        Whose alerts.
    tables : sequence of Table
        The main one first.
    """

    def __init__(self, address: Address, survey: Survey, tables: Sequence[Table]) -> None:
        self.address = address
        self.survey = survey
        self.tables = tuple(tables)
        self.main = self.tables[0]
        paths = (survey.object_identifier, survey.night_rule.field, survey.identifier)
        self.name, self.time, self.identifier = (path.rpartition(".")[2] for path in paths)
        self.by_column = {table.key[0]: table for table in reversed(self.tables) if table.of_alerts}
        """Column -> the table whose keys begin with it."""

    def objects(
        self,
        names: str | Iterable[str],
        *,
        columns: Sequence[str] | None = None,
        nights: Nights | None = None,
        with_upper: bool = False,
    ) -> pd.DataFrame:
        """Return the alerts of one or several objects, by object and time, oldest first.

        Parameters
        ----------
        names : str or iterable of str
            Of objects; one without alerts has no rows.
        columns : sequence of str, optional
            Only these.
        nights : (Night, Night), optional
            Only of these nights.
        with_upper : bool
            Also upper limits and points of bad quality, told apart by the column ``tag``.

        Raises
        ------
        UserError
            When a name cannot be one, a column is not there, or the survey has no tables of such points.
        OperationError, TransientError
            When a table is not there, or HBase does not answer.
        """
        asked_for = [names] if isinstance(names, str) else names
        firsts = [name_of_object(self.main.by_name[self.name], name) for name in dict.fromkeys(asked_for)]
        tagged = {VALID: self.main, **(tables_of_points(self.survey, self.tables) if with_upper else {})}
        offered = (*self.main.columns, *((TAG,) if with_upper else ()))
        wanted = chosen(offered, columns)
        read = self._with_needed(wanted, offered)
        found: list[dict[bytes, bytes]] = []
        with reading(self.address, tagged.values()) as connection:
            for (tag, table), first in product(tagged.items(), firsts):
                rows = rows_in(connection, table, self._range(table, first, nights), read)
                found += ({**cells, TAG.cell: tag.encode()} for _, cells in rows)
        frame = _within(frame_of([*read, TAG], found), nights)
        return _ended(merged(frame, self.name, self.time, self.identifier), wanted)

    def alerts(
        self,
        column: str,
        value: str,
        *,
        columns: Sequence[str] | None = None,
        nights: Nights | None = None,
        newest: int | None = None,
    ) -> pd.DataFrame:
        """Return the alerts with a value in a column that keys of a table begin with, newest first.

        Parameters
        ----------
        column : str
            A key of ``by_column``.
        value : str
            What it holds: a class, the name of an asteroid.
        columns : sequence of str, optional
            Only these, of the table.
        nights : (Night, Night), optional
            Only of these nights.
        newest : int, optional
            At most so many.

        Raises
        ------
        UserError
            When the survey has no table by that column, a column is not there or the value cannot be one.
        OperationError, TransientError
            When a table is not there, or HBase does not answer.
        """
        table = self.table_by(column)
        first = part_of(table.by_name[column], value)
        wanted = chosen(table.columns, columns)
        read = self._with_needed(wanted, table.columns)
        # Where keys hold no time, the newest are known when all have been read.
        most = newest if self._has_times(table) else None
        keys = self._range(table, first, nights)
        with (
            reading(self.address, [table]) as connection,
            closing(rows_in(connection, table, keys, read, reverse=True, most=most)) as rows,
        ):
            found = [cells for _, cells in (rows if most is None else _newest(rows, len(row_prefix(first)), most))]
        return _ended(self._newest_first(_within(frame_of(read, found), nights)).head(newest or len(found)), wanted)

    def latest(self, label: str, number: int = 10, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the newest alerts of a class; see :meth:`alerts`."""
        return self.alerts(self.survey.statistics.classes, label, columns=columns, newest=number)

    def nights(self, first: Night, last: Night, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return all alerts of some nights, both included, newest first.

        HBase looks at every key of the main table, so the cost grows with all nights together: many alerts of a night
        are read faster from the lake.
        """
        wanted = chosen(self.main.columns, columns)
        read = self._with_needed(wanted, self.main.columns)
        with reading(self.address, [self.main]) as connection:
            keys = list(keys_between(self.address, self.main, first, last))
            found = [cells for _, cells in rows_of(connection, self.main, keys, read)]
        return _ended(self._newest_first(frame_of(read, found)), wanted)

    def cone(
        self,
        ra: float,
        dec: float,
        radius_arcsec: float,
        *,
        columns: Sequence[str] | None = None,
        first_detected: Nights | None = None,
    ) -> pd.DataFrame:
        """Return the objects within a circle, nearest first: the newest alert of each, and ``separation_arcsec``.

        Parameters
        ----------
        ra, dec : float
            Centre, ICRS [deg].
        radius_arcsec : float
            Radius [arcsec], at most 18,000; an object just that far is in.
        columns : sequence of str, optional
            Only these, of the table of objects, and ``separation_arcsec``.
        first_detected : (Night, Night), optional
            Only objects that were detected first in these nights.

        Raises
        ------
        UserError
            When it is no cone, a column is not there, or the survey has no table of objects by place.
        OperationError, TransientError
            When the table is not there, or HBase does not answer.
        """
        must_be_a_cone(ra, dec, radius_arcsec)
        table = table_of_places(self.tables)
        if table is None:
            raise UserError(f"cone: a table of objects by pixel must be the survey's; {self.survey.name} has none")
        wanted = chosen((*table.columns, SEPARATION), columns)
        read = [column for column in wanted if column != SEPARATION]
        read = self._with_needed(read, table.columns, RA, DEC, table.key[1])
        times = self._times(first_detected) if first_detected else ()
        pixels = pixels_in(ra, dec, radius_arcsec, DIVISIONS[table.key[0]])
        frame = frame_of(read, self._in_pixels(table, pixels, times, read))
        # Whoever writes puts an object's new row before the old one goes.
        frame = frame.sort_values([self.time, self.identifier]).drop_duplicates(self.name, keep="last")
        places = (frame[name].to_numpy("float64", na_value=float("nan")) for name in (RA, DEC))
        frame[SEPARATION.name] = pd.array(separations_arcsec(ra, dec, *places), dtype="Float64")
        near = frame[SEPARATION.name] <= radius_arcsec
        if times:
            near &= frame[table.key[1]].between(*times, inclusive="left")
        return _ended(frame[near].sort_values([SEPARATION.name, self.name]), wanted)

    def values(self, column: str) -> list[str]:
        """Return what a column that keys of a table begin with holds, such as all classes there are.

        Raises
        ------
        UserError
            When the survey has no table by that column.
        OperationError, TransientError
            When the table is not there, or HBase does not answer.
        """
        table = self.table_by(column)
        first = table.by_name[column]
        with reading(self.address, [table]) as connection:
            found = first_parts(connection, table, has_times=self._has_times(table))
            return [str(decode(cells[first.cell], first.type)) for _, cells in found]

    def table_by(self, column: str) -> Table:
        """Return the table whose keys begin with a column; raises UserError when there is none."""
        if column not in self.by_column:
            raise unknown(f"archive of {self.survey.name}: what to search by", column, self.by_column)
        return self.by_column[column]

    def _in_pixels(
        self, table: Table, pixels: Iterable[int], times: Sequence[float], read: Sequence[Column]
    ) -> list[Mapping[bytes, bytes]]:
        with reading(self.address, [table]) as connection:
            ranges = [range_of_times(pixel, *times) for pixel in pixels]
            return [cells for keys in ranges for _, cells in rows_in(connection, table, keys, read)]

    def _range(self, table: Table, first: Part, nights: Nights | None) -> Range:
        if not self._has_times(table):
            return range_of(first)
        return range_of_times(first, *(self._times(nights) if nights else ()))

    def _has_times(self, table: Table) -> bool:
        return table.key[1] == self.time

    def _times(self, nights: Nights) -> tuple[float, float]:
        first, last = nights
        return self.survey.night_rule.zero + first.day, self.survey.night_rule.zero + last.day + 1

    def _with_needed(self, wanted: list[Column], offered: Iterable[Column], *others: str) -> list[Column]:
        """Return what is read: the columns wanted, and those that rows are found, chosen and ordered by."""
        by_name = {column.name: column for column in offered}
        needed = (by_name[name] for name in (self.name, self.time, self.identifier, NIGHT, *others))
        return [column for column in dict.fromkeys([*wanted, *needed]) if column != TAG]

    def _newest_first(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.sort_values([self.time, self.identifier], ascending=False)


def _newest(rows: Iterable[Found], prefix: int, most: int) -> Iterator[Found]:
    """Yield rows, last key first, until the newest are surely among them.

    A time whose text goes on where another's ends is newer and yet comes later in this order.
    """
    times: set[bytes] = set()
    for number, (key, cells) in enumerate(rows):
        time = key[prefix:].partition(b"_")[0]
        if number >= most and not any(time.startswith(seen) for seen in times):
            return
        times.add(time)
        yield key, cells


def _within(frame: pd.DataFrame, nights: Nights | None) -> pd.DataFrame:
    if nights is None:
        return frame
    first, last = nights
    return frame[(frame[NIGHT] >= first.key) & (frame[NIGHT] <= last.key)]


def _ended(frame: pd.DataFrame, wanted: Sequence[Column]) -> pd.DataFrame:
    return frame[[column.name for column in wanted]].reset_index(drop=True)
