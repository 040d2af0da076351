"""What is in quarantine: messages selected by night, code and coordinate, and which of them have become alerts since.

The table is only ever appended to. A message counts as quarantined while raw_alerts does not hold its coordinate. How
it gets there is in ``stages.redrive``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions import And

from fink_dagster.errors import UserError
from fink_dagster.lake.reading import EVERYTHING, of_topics, where_equal
from fink_dagster.lake.tables import COORDINATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyiceberg.expressions import BooleanExpression

    from fink_dagster.lake.reading import LakeReader

    Place = tuple[str, int, int]

TABLE = "quarantine"
_COORDINATE = tuple(column.name for column in COORDINATE)


@dataclass(frozen=True)
class Selection:
    """Messages of quarantine that fit everything said here; of what is None, any.

    Raises
    ------
    UserError
        When a partition is given without its topic, or an offset without its partition.
    """

    night: str | None = None
    code: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None

    def __post_init__(self) -> None:
        for inner, outer in (("partition", "topic"), ("offset", "partition")):
            if getattr(self, inner) is not None and getattr(self, outer) is None:
                message = f"quarantine: {inner} must be one of a {outer}; got no {outer}; name it too"
                raise UserError(message)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.given().items()) or "everything"

    def given(self) -> dict[str, str | int]:
        """Return what is said, by name of the column."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def where(self) -> BooleanExpression:
        """Return it as a row filter."""
        return reduce(And, (where_equal(name, value) for name, value in self.given().items()), EVERYTHING)


def stored(reader: LakeReader, selection: Selection, *columns: str) -> list[dict[str, Any]]:
    """Return coordinate and further columns of selected messages, whether or not they still count as quarantined."""
    found = reader.rows(TABLE, tuple(dict.fromkeys((*_COORDINATE, *columns))), selection.where())
    return found.to_pylist() if found else []


def followed(reader: LakeReader, selection: Selection, *columns: str) -> list[dict[str, Any]]:
    """Return the same with ``redriven_to``, the night of the alert a message has become; None: it is quarantined."""
    rows = stored(reader, selection, *columns)
    nights = _nights_in_raw(reader, {coordinate_of(row) for row in rows})
    return [{**row, "redriven_to": nights.get(coordinate_of(row))} for row in rows]


def coordinate_of(row: Mapping[str, Any]) -> Place:
    """Return where a row's message was read."""
    return row["topic"], row["partition"], row["offset"]


def by_code(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many messages there are of each code, codes in order."""
    return dict(sorted(Counter(row["code"] for row in rows).items()))


def _nights_in_raw(reader: LakeReader, places: set[Place]) -> dict[Place, str]:
    if not places:
        return {}
    nights: dict[Place, str] = {}
    for topic in sorted({topic for topic, _, _ in places}):
        found = reader.rows("raw_alerts", (*_COORDINATE, "night"), of_topics([topic]))
        if found:
            # A topic has hundred thousands of alerts of which a handful is looked for: no object is made of the others.
            offsets = pa.array(sorted({offset for name, _, offset in places if name == topic}), pa.int64())
            near = found.filter(pc.is_in(found["offset"], value_set=offsets)).to_pylist()
            nights |= {coordinate_of(row): row["night"] for row in near if coordinate_of(row) in places}
    return nights
