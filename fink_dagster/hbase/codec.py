"""Values as the bytes of a cell, and back, by the column's Spark type.

Numbers are as HBase's ``Bytes.toBytes`` writes them (big-endian), everything else is text, a null is an empty cell. An
empty string is an empty cell too and therefore read back as null. No table is known here.
"""

from __future__ import annotations

import datetime as dt
import operator
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMATS = {"int": ">i", "bigint": ">q", "float": ">f", "double": ">d"}
_PACKERS = {kind: struct.Struct(form) for kind, form in _FORMATS.items()}


def encode(value: Any, kind: str) -> bytes:
    r"""Return the cell of a value.

    Parameters
    ----------
    value : object
        None, or a value of the type; a timestamp must know its time zone.
    kind : str
        Spark type name, a key of :data:`ENCODERS`.

    Raises
    ------
    TypeError, ValueError, OverflowError, struct.error
        When the value is not of the type; an integer that comes as a float is not.

    Examples
    --------
    >>> encode(3, "int"), encode(None, "int")
    (b'\x00\x00\x00\x03', b'')
    """
    return b"" if value is None else ENCODERS[kind](value)


def decode(cell: bytes, kind: str) -> Any:
    """Return the value of a cell; None for an empty one."""
    return DECODERS[kind](cell) if cell else None


def _timestamp(value: dt.datetime) -> bytes:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        message = "a timestamp must be one that knows its time zone"
        raise ValueError(message)
    text = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{text}Z".encode()


def _boolean(value: Any) -> bytes:
    if value not in (True, False):
        message = "a boolean must be true or false"
        raise ValueError(message)
    return b"true" if value else b"false"


def _integer(kind: str) -> Callable[[Any], bytes]:
    pack = _PACKERS[kind].pack
    return lambda value: pack(operator.index(value))


def _unpacked(kind: str) -> Callable[[bytes], Any]:
    unpack = _PACKERS[kind].unpack
    return lambda cell: unpack(cell)[0]


ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "int": _integer("int"),
    "bigint": _integer("bigint"),
    "float": _PACKERS["float"].pack,
    "double": _PACKERS["double"].pack,
    "string": lambda value: str.encode(value, "utf-8"),
    "boolean": _boolean,
    "date": lambda value: dt.date.isoformat(value).encode(),
    "timestamp": _timestamp,
}
"""How a value that is there becomes a cell, by Spark type name; the types a column may have."""

DECODERS: dict[str, Callable[[bytes], Any]] = {
    **{kind: _unpacked(kind) for kind in _PACKERS},
    "string": bytes.decode,
    "boolean": lambda cell: cell == b"true",
    "date": lambda cell: dt.date.fromisoformat(cell.decode()),
    "timestamp": lambda cell: dt.datetime.fromisoformat(cell.decode()),
}
"""The reverse of :data:`ENCODERS`."""
