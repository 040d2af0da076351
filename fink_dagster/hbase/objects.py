"""Tables with one row per object, made of its newest alert.

Where an object's row is can change with an alert, for the key holds its place on the sky: a table beside it says where
the row stands and of which alert it is. The rows of an object are written under rising versions, so that what is
deleted at one place never hides what comes back to it. Whoever writes excludes others meanwhile.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.connection import Address, answering, connect
from fink_dagster.hbase.keys import row_key
from fink_dagster.hbase.rows import Row, key_of, row_cells
from fink_dagster.hbase.tables import ADDED, NIGHT, Column, Table
from fink_dagster.hbase.writer import Gone, delete_rows, put_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from happybase import Connection

    from fink_dagster.surveys.base import Survey

LOOK_UP_ROWS = 500
_NAME, _KEY, _TIME, _IDENTIFIER = "name", "row_key", "time", "identifier"
_PLACE = {_NAME: "string", _KEY: "string", _TIME: "double", _IDENTIFIER: "bigint", NIGHT: "string"}


@dataclass(frozen=True)
class Alert:
    """The alert an object's row is to be made of.

    Parameters
    ----------
    name : str
        Of the object.
    time : float
        Of the alert, in the survey's scale [d].
    identifier : int
        Of the alert.
    record : mapping
        Its values by flat name.
    timestamp_ms : int
        When it was processed [ms since 1970].
    """

    name: str
    time: float
    identifier: int
    record: Mapping[str, Any]
    timestamp_ms: int

    @property
    def order(self) -> tuple[float, int]:
        """What the newest is told by; of two at one time, the identifier."""
        return self.time, self.identifier


@dataclass(frozen=True)
class Place:
    """Where an object's row stands, of which alert it is, and the highest version ever used for it [ms]."""

    key: bytes
    order: tuple[float, int]
    timestamp_ms: int


def places_table(table: Table) -> Table:
    """Declare the table that says where each object's row stands."""
    columns = tuple(Column(name, name, ADDED, kind) for name, kind in _PLACE.items())
    holds = f"where each object stands in {table.name}, and which alert it is"
    return Table(f"{table.name}.objects", holds, columns, (_NAME,))


def alert_of(survey: Survey, record: Mapping[str, Any], timestamp_ms: int) -> Alert:
    """Return an alert from a record of flat names."""
    paths = (survey.object_identifier, survey.night_rule.field, survey.identifier)
    name, time, identifier = (record[path.rpartition(".")[2]] for path in paths)
    return Alert(name, time, identifier, record, timestamp_ms)


def put_newest(address: Address, table: Table, alerts: Iterable[Alert]) -> int:
    """Make the rows of objects those of these alerts, where they are newer than what is there; return how many are.

    Parameters
    ----------
    address : (str, int)
        The Thrift server.
    table : Table
        Has one row per object; it and :func:`places_table` of it exist.
    alerts : iterable of Alert
        In any order; what has no place on the sky has no row.

    Raises
    ------
    TransientError
        When HBase does not answer in time; the same call again is right.
    """
    newest: dict[str, Alert] = {}
    for alert in alerts:
        if key_of(table, alert.record) is not None and alert.order >= newest.get(alert.name, alert).order:
            newest[alert.name] = alert
    changed = 0
    for chunk in _chunks(newest.values()):
        held = places(address, table, [alert.name for alert in chunk])
        due = [alert for alert in chunk if alert.name not in held or alert.order >= held[alert.name].order]
        move(address, table, due, held)
        changed += len(due)
    return changed


def places(address: Address, table: Table, names: Sequence[str]) -> dict[str, Place]:
    """Return where the rows of objects stand, for those that have one."""
    with answering(address), closing(connect(*address)) as connection:
        return _places(connection, table, names)


def move(address: Address, table: Table, alerts: Sequence[Alert], held: Mapping[str, Place]) -> None:
    """Make the rows of objects those of these alerts, whatever is there.

    First the new rows, then away with those at other places, then what says where they are: cut off in between, the
    same call again finds all of it.
    """
    beside = places_table(table)
    rows, gone, notes = [], [], []
    for alert in alerts:
        key, cells = row_cells(table, alert.record)
        place = held.get(alert.name)
        version = _version(alert, place)
        rows.append(Row(key, cells, version))
        if place is not None and place.key != key:
            gone.append(Gone(place.key, place.timestamp_ms))
        notes.append(Row(*row_cells(beside, _note(alert, key)), version))
    put_rows(address, table, rows)
    delete_rows(address, table, gone)
    put_rows(address, beside, notes)


def remove(address: Address, table: Table, held: Mapping[str, Place]) -> None:
    """Delete the rows of objects that have no alert any more."""
    delete_rows(address, table, [Gone(place.key, place.timestamp_ms) for place in held.values()])
    notes = [Gone(row_key(name), place.timestamp_ms) for name, place in held.items()]
    delete_rows(address, places_table(table), notes)


def _version(alert: Alert, place: Place | None) -> int:
    if place is None:
        return alert.timestamp_ms
    return max(alert.timestamp_ms, place.timestamp_ms + (place.order != alert.order))


def _note(alert: Alert, key: bytes) -> dict[str, Any]:
    return {
        _NAME: alert.name,
        _KEY: key.decode(),
        _TIME: alert.time,
        _IDENTIFIER: alert.identifier,
        NIGHT: alert.record[NIGHT],
    }


def _places(connection: Connection, table: Table, names: Sequence[str]) -> dict[str, Place]:
    keys = {row_key(name): name for name in names}
    beside = places_table(table)
    found = connection.table(beside.name).rows(list(keys), include_timestamp=True) if keys else []
    by_name: dict[str, Place] = {}
    for key, cells in found:
        values = {name: decode(cells[column.cell][0], column.type) for name, column in beside.by_name.items()}
        version = max(timestamp for _, timestamp in cells.values())
        by_name[keys[key]] = Place(values[_KEY].encode(), (values[_TIME], values[_IDENTIFIER]), version)
    return by_name


def _chunks(alerts: Iterable[Alert]) -> Iterator[list[Alert]]:
    source = iter(alerts)
    while chunk := list(islice(source, LOOK_UP_ROWS)):
        yield chunk
