"""What somebody asks for, checked at the door: names and values as parts of a key.

A key may hold any text, encoded; here is refused what no name can be and was surely not meant. Malformed places on the
sky are refused in ``cone``, columns in ``frames``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from fink_dagster.hbase.keys import Part
    from fink_dagster.hbase.tables import Column

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}")
_VALUE = re.compile(r"[\w .()\[\]*?/+:&,'-]{1,100}")
"""Classes hold blanks, brackets, stars and question marks, names of asteroids and of supernovae some of the others."""
_INTEGER = re.compile(r"-?\d{1,18}")
_SHOWN = 40


def name_of_object(column: Column, text: str) -> Part:
    """Return the name of an object as part of a key; raises UserError when it cannot be one."""
    if _NAME.fullmatch(text):
        return part_of(column, text)
    message = (
        f"object: must be a name of letters, digits and '_.:+-', at most 64; got {text[:_SHOWN]!r}; "
        "find names with `fink-dagster cone`"
    )
    raise UserError(message)


def part_of(column: Column, text: str) -> Part:
    """Return a value of a column as part of a key; raises UserError when the column cannot hold it."""
    if column.type in ("int", "bigint"):
        if _INTEGER.fullmatch(text):
            return int(text)
        wanted = "a whole number"
    elif _VALUE.fullmatch(text) and text.strip():
        return text
    else:
        wanted = "letters, digits, blanks and ()[]*?/+:&,.'-, at most 100"
    raise UserError(f"{column.name}: must be {wanted}; got {text[:_SHOWN]!r}; correct it")
