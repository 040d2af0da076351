"""Tables with one row per object, made of its newest alert.

Where an object's row is can change with an alert, for the key holds its place on the sky: a table beside it says where
the row stands and of which alert it is. Whoever writes excludes others meanwhile.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from fink_dagster.hbase.amending import amend, remove
from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.connection import Address, answering, connect
from fink_dagster.hbase.keys import row_key
from fink_dagster.hbase.rows import Row, key_of, row_cells
from fink_dagster.hbase.tables import ADDED, NIGHT, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fink_dagster.surveys.base import Survey

LOOK_UP_ROWS = 500
NAME = "name"
"""Column of :func:`places_table` with the name of the object."""
_KEY, _TIME, _IDENTIFIER = "row_key", "time", "identifier"
_PLACE = {NAME: "string", _KEY: "string", _TIME: "double", _IDENTIFIER: "bigint", NIGHT: "string"}


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
    """Where an object's row stands, and of which alert it is."""

    key: bytes
    order: tuple[float, int]


def places_table(table: Table) -> Table:
    """Declare the table that says where each object's row stands."""
    columns = tuple(Column(name, name, ADDED, kind) for name, kind in _PLACE.items())
    holds = f"where each object stands in {table.name}, and which alert it is"
    return Table(f"{table.name}.objects", holds, columns, (NAME,))


def alert_of(survey: Survey, record: Mapping[str, Any], timestamp_ms: int) -> Alert:
    """Return an alert from a record of flat names."""
    paths = (survey.object_identifier, survey.night_rule.field, survey.identifier)
    name, time, identifier = (record[path.rpartition(".")[2]] for path in paths)
    return Alert(name, time, identifier, record, timestamp_ms)


def put_newest(address: Address, table: Table, alerts: Iterable[Alert]) -> int:
    """Make the rows of objects those of these alerts, unless newer ones are there; return how many rows changed.

    Parameters
    ----------
    address : (str, int)
        The Thrift server.
    table : Table
        Has one row per object; it and :func:`places_table` of it exist.
    alerts : iterable of Alert
        In any order. One without a place on the sky is passed over.

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
        changed += put_objects(address, table, due, held)
        # An alert that is no longer the newest may have been cut off when it was, with its row put and no note yet.
        old = (key_of(table, alert.record) for alert in chunk if alert not in due)
        at = {place.key for place in held.values()}
        remove(address, table, [key for key in old if key is not None and key not in at])
    return changed


def put_objects(address: Address, table: Table, alerts: Iterable[Alert], held: Mapping[str, Place]) -> int:
    """Make the rows of objects those of these alerts, whatever is there; return how many rows changed.

    First the rows, then away with those at other places, then what says where they are: cut off in between, the same
    call again finds all of it.
    """
    rows, notes, elsewhere = [], [], []
    for alert in alerts:
        key, cells = row_cells(table, alert.record)
        rows.append(Row(key, cells, alert.timestamp_ms))
        notes.append(Row(*row_cells(places_table(table), _note(alert, key)), alert.timestamp_ms))
        if alert.name in held and held[alert.name].key != key:
            elsewhere.append(held[alert.name].key)
    changed = amend(address, table, rows)
    remove(address, table, elsewhere)
    amend(address, places_table(table), notes)
    return changed


def remove_objects(address: Address, table: Table, held: Mapping[str, Place]) -> int:
    """Delete the rows of objects that have no alert any more; return how many there were."""
    removed = remove(address, table, [place.key for place in held.values()])
    remove(address, places_table(table), map(row_key, held))
    return removed


def places(address: Address, table: Table, names: Sequence[str]) -> dict[str, Place]:
    """Return where the rows of objects stand, for those that have one."""
    beside, keys = places_table(table), {row_key(name): name for name in names}
    with answering(address), closing(connect(*address)) as connection:
        found = connection.table(beside.name).rows(list(keys)) if keys else []
    by_name: dict[str, Place] = {}
    for key, cells in found:
        values = {name: decode(cells[column.cell], column.type) for name, column in beside.by_name.items()}
        by_name[keys[key]] = Place(values[_KEY].encode(), (values[_TIME], values[_IDENTIFIER]))
    return by_name


def _note(alert: Alert, key: bytes) -> dict[str, Any]:
    return {
        NAME: alert.name,
        _KEY: key.decode(),
        _TIME: alert.time,
        _IDENTIFIER: alert.identifier,
        NIGHT: alert.record[NIGHT],
    }


def _chunks(alerts: Iterable[Alert]) -> Iterator[list[Alert]]:
    source = iter(alerts)
    while chunk := list(islice(source, LOOK_UP_ROWS)):
        yield chunk
