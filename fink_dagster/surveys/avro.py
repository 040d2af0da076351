"""Avro schemas as plain data: expand, rename by place, compare, merge and look up fields.

No bytes are decoded here and no survey is known. The JVM is only ever given what :func:`by_place` returns, a schema
rebuilt from nothing but types and field names, since a schema that arrives inside a message is input like any other.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import CorruptData

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIMITIVES = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})
WIDENS = {("int", "long"), ("float", "double"), ("int", "double")}
MAX_FIELDS = 5000
MAX_DEPTH = 12
"""A ZTF alert has some 200 fields three levels deep and a Rubin alert some 500; far more is an attack."""
MAX_TEXT = 2_000_000
"""Characters of places and symbols, expanded; a reference of three bytes may stand for a union of a megabyte."""
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def fingerprint(schema: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what decides the bytes: types, field order and union order, without names of records."""
    return hashlib.sha256(json.dumps(by_place(schema), sort_keys=True).encode()).hexdigest()


def by_place(schema: Any, place: str = "alert") -> Any:
    """Rebuild a schema from types and fields alone, each record named after its place.

    Docs, defaults, aliases, properties and logical types are gone, references are expanded, and two schemas that
    describe the same bytes become equal, whatever their records are called.

    Raises
    ------
    CorruptData
        With code ``schema`` when it is not a schema, refers to itself or is beyond all measure.
    """
    return _Rebuild().of(schema, place, "", 0)


class _Rebuild:
    """One walk through a schema: names seen so far, fields counted."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}
        self.open: set[str] = set()
        self.fields = 0
        self.text = 0

    def of(self, schema: Any, place: str, namespace: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CorruptData("schema", f"schema: must be at most {MAX_DEPTH} levels deep")
        self._count(len(place))
        if isinstance(schema, list):
            return [self.of(branch, place, namespace, depth + 1) for branch in schema]
        if isinstance(schema, str):
            return schema if schema in PRIMITIVES or schema == "null" else self._named(schema, place, namespace, depth)
        if not isinstance(schema, dict) or "type" not in schema:
            raise CorruptData("schema", "schema: must be a type name, an object with a type, or a list of those")
        return self._complex(schema, place, namespace, depth)

    def _count(self, characters: int) -> None:
        self.text += characters
        if self.text > MAX_TEXT:
            raise CorruptData("schema", f"schema: must have at most {MAX_TEXT} characters when it is expanded")

    def _named(self, name: str, place: str, namespace: str, depth: int) -> Any:
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = full if full in self.named else name
        if found not in self.named or found in self.open:
            raise CorruptData(
                "schema", f"schema: {name[:60]!r} must be a type defined before it is used, not in itself"
            )
        return self.of(self.named[found], place, namespace, depth + 1)

    def _complex(self, schema: dict[str, Any], place: str, namespace: str, depth: int) -> Any:
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema, place, namespace, depth)
        if kind == "array":
            return {"type": "array", "items": self._item(schema.get("items"), place, namespace, depth)}
        if kind == "map":
            return {"type": "map", "values": self.of(schema.get("values"), place, namespace, depth + 1)}
        if kind in ("enum", "fixed"):
            keep = {"enum": "symbols", "fixed": "size"}[kind]
            self._count(len(json.dumps(schema.get(keep))))
            return {"type": kind, "name": place, keep: schema.get(keep)}
        return self.of(kind, place, namespace, depth + 1)

    def _item(self, schema: Any, place: str, namespace: str, depth: int) -> Any:
        item = self.of(schema, place, namespace, depth + 1)
        if _takes_no_bytes(item):
            # A count of 2^40 such items would be a message of ten bytes and a decoder that never ends.
            raise CorruptData("schema", f"schema: items of {place} must take bytes")
        return item

    def _record(self, schema: dict[str, Any], place: str, namespace: str, depth: int) -> Any:
        space = str(schema.get("namespace") or str(schema.get("name", "")).rpartition(".")[0] or namespace)
        short = str(schema.get("name", "")).rpartition(".")[2]
        full = f"{space}.{short}" if space else short
        self.named[full] = self.named[short] = {**schema, "namespace": space}
        self.open |= {full, short}
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise CorruptData("schema", f"schema: record {short[:60]!r} must have fields")
        self.fields += len(fields)
        if self.fields > MAX_FIELDS:
            raise CorruptData("schema", f"schema: must have at most {MAX_FIELDS} fields")
        rebuilt = [self._field(field, place, space, depth) for field in fields]
        if len({field["name"].lower() for field in rebuilt}) < len(rebuilt):
            # Spark and the lake take names that differ in case alone for one.
            raise CorruptData("schema", f"schema: fields of {place[:60]} must differ in more than case")
        self.open -= {full, short}
        return {"type": "record", "name": place, "fields": rebuilt}

    def _field(self, field: Any, place: str, namespace: str, depth: int) -> dict[str, Any]:
        if not isinstance(field, dict) or not isinstance(field.get("name"), str) or "type" not in field:
            raise CorruptData("schema", "schema: a field must have a name and a type")
        name = field["name"]
        if not _FIELD_NAME.fullmatch(name):
            raise CorruptData("schema", f"schema: a field's name must be a plain word; got {name[:40]!r}")
        return {"name": name, "type": self.of(field["type"], f"{place}.{name}", namespace, depth + 1)}


def _takes_no_bytes(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema == "null"
    if schema["type"] == "record":
        return all(_takes_no_bytes(field["type"]) for field in schema["fields"])
    return schema["type"] == "fixed" and not schema["size"]


def not_null(schema: Any) -> Any:
    """Return the type of a value that is there: the only branch of ``[null, T]``, or the schema itself.

    Raises
    ------
    CorruptData
        With code ``schema`` for a union of several types; a table column has one type.
    """
    if not isinstance(schema, list):
        return schema
    branches = [branch for branch in schema if branch != "null"]
    if len(branches) != 1:
        raise CorruptData("schema", "schema: a union must be of null and one type")
    return branches[0]


def fields_of(schema: Any) -> dict[str, Any]:
    """Return name and type of the fields of a record, nullable or not; empty for anything else."""
    record = not_null(schema)
    if not isinstance(record, dict) or record.get("type") != "record":
        return {}
    return {field["name"]: field["type"] for field in record["fields"]}


def has_path(schema: Any, path: str) -> bool:
    """Tell whether a dotted path of fields, through arrays too, exists in a schema made by :func:`by_place`."""
    name, dot, rest = path.partition(".")
    kind = not_null(schema)
    fields = fields_of(kind["items"] if isinstance(kind, dict) and kind["type"] == "array" else kind)
    return name in fields and (not dot or has_path(fields[name], rest))


def as_reader(schema: Any) -> Any:
    """Return the schema to read with: every field nullable and null where the writer has none.

    Parameters
    ----------
    schema : dict
        As :func:`by_place` returns it.
    """
    kind = not_null(schema)
    if isinstance(kind, str):
        return kind
    if kind["type"] == "record":
        fields = [
            {"name": field["name"], "type": ["null", as_reader(field["type"])], "default": None}
            for field in kind["fields"]
        ]
        return {**kind, "fields": fields}
    if kind["type"] == "array":
        return {"type": "array", "items": _member(kind["items"])}
    if kind["type"] == "map":
        return {"type": "map", "values": _member(kind["values"])}
    raise CorruptData("schema", f"schema: enum and fixed have no column type; got {kind['type']}")


def _member(schema: Any) -> Any:
    """Return how to read an item of an array or a value of a map; it is null only where the writer lets it be."""
    return ["null", as_reader(schema)] if isinstance(schema, list) else as_reader(schema)


def merge(known: Any, writer: Any, place: str = "alert") -> Any:
    """Return ``known`` with the fields only ``writer`` has added at the end; both in reader form.

    Raises
    ------
    CorruptData
        With code ``schema_conflict`` when a field has another type than the one known, and none widens to it.
    """
    if known == writer:
        return known
    a, b = not_null(known), not_null(writer)
    wrap = (lambda kind: ["null", kind]) if isinstance(known, list) else (lambda kind: kind)
    if isinstance(a, str) or isinstance(b, str) or a["type"] != b["type"]:
        if a == b or (_kind(b), _kind(a)) in WIDENS:
            return known
        raise CorruptData("schema_conflict", f"schema: {place} must be {_kind(a)}; got {_kind(b)}")
    if a["type"] == "array":
        return wrap({"type": "array", "items": _merge_members(a["items"], b["items"], f"{place}[]")})
    if a["type"] == "map":
        return wrap({"type": "map", "values": _merge_members(a["values"], b["values"], f"{place}{{}}")})
    return wrap({**a, "fields": _merge_fields(a, b, place)})


def _merge_members(known: Any, writer: Any, place: str) -> Any:
    merged = merge(known, writer, place)
    return ["null", merged] if isinstance(writer, list) and not isinstance(merged, list) else merged


def _merge_fields(known: Mapping[str, Any], writer: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    new = {field["name"]: field for field in writer["fields"]}
    merged = []
    for field in known["fields"]:
        other = new.pop(field["name"], None)
        kind = field["type"] if other is None else merge(field["type"], other["type"], f"{place}.{field['name']}")
        merged.append({**field, "type": kind})
    lower = {field["name"].lower() for field in known["fields"]}
    for name in new:
        if name.lower() in lower:
            raise CorruptData("schema_conflict", f"schema: {place}.{name} must be spelt as it is known; case differs")
    return [*merged, *new.values()]


def _kind(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])
