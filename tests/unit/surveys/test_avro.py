from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import CorruptData
from fink_dagster.surveys import avro
from fink_dagster.surveys.ztf import ZTF


def _record(*fields: tuple[str, Any], name: str = "r", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": kind} for n, kind in fields], **more}


def _reader(*fields: tuple[str, Any]) -> Any:
    return avro.as_reader(avro.by_place(_record(*fields)))


def _nested(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)
    records = names.flatmap(
        lambda chosen: st.tuples(*[kinds for _ in chosen]).map(lambda of: _record(*zip(chosen, of, strict=True)))
    )
    items = kinds | kinds.map(lambda kind: ["null", kind])
    return records | items.map(lambda kind: {"type": "array", "items": kind})


TYPES = st.recursive(st.sampled_from(sorted(avro.PRIMITIVES)), _nested, max_leaves=12)
FIELDS = st.lists(st.tuples(st.sampled_from("abcdefgh"), TYPES), unique_by=lambda field: field[0], max_size=6)


def test_references_are_expanded_and_records_are_named_after_their_place() -> None:
    point = _record(("x", "float"), name="point")
    rebuilt = avro.by_place(_record(("one", point), ("more", {"type": "array", "items": "point"})))
    one, more = (field["type"] for field in rebuilt["fields"])
    assert one == {"type": "record", "name": "alert.one", "fields": [{"name": "x", "type": "float"}]}
    assert more["items"] == {**one, "name": "alert.more"}


def test_a_reference_means_the_type_of_its_own_namespace() -> None:
    inner = _record(("x", "long"), name="t", namespace="a")
    other = _record(("y", "float"), name="t", namespace="b")
    both = _record(("one", inner), ("two", other), ("again", "a.t"), name="b.top")
    rebuilt = avro.by_place(both)
    assert rebuilt["fields"][2]["type"]["fields"] == [{"name": "x", "type": "long"}]
    near = avro.by_place(_record(("one", inner), ("two", other), ("again", "t"), name="b.top"))
    assert near["fields"][2]["type"]["fields"] == [{"name": "y", "type": "float"}]


def test_a_namespace_is_inherited() -> None:
    outer = _record(("one", _record(("x", "int"), name="t")), ("two", "n.t"), ("three", "t"), name="top", namespace="n")
    kinds = [field["type"]["fields"] for field in avro.by_place(outer)["fields"]]
    assert kinds[0] == kinds[1] == kinds[2]


def _deep(levels: int) -> Any:
    kind: Any = "int"
    for _ in range(levels):
        kind = _record(("a", kind))
    return kind


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (_record(("again", "r")), "not in itself"),
        (_record(("a", "nowhere")), "defined before it is used"),
        (_deep(20), "at most 12 levels deep"),
        (_record(*((f"f{n}", "int") for n in range(6000))), "at most 5000 fields"),
        (_record(("a", {"type": "array", "items": "null"})), "must take bytes"),
        (_record(("a", {"type": "array", "items": _record(name="e")})), "must take bytes"),
        (_record(("a", {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}})), "must take bytes"),
        (_record(("a", "int"), ("a", "int")), "differ in more than case"),
        (_record(("rb", "int"), ("RB", "int")), "differ in more than case"),
        (_record(("a`b", "int")), "must be a plain word"),
        (_record(("", "int")), "must be a plain word"),
        (_record(("x" * 200, "int")), "must be a plain word"),
        ({"type": "record", "name": "r"}, "must have fields"),
        ({"type": "record", "name": "r", "fields": [{"name": "a"}]}, "must have a name and a type"),
        ({"type": "record", "name": "r", "fields": ["a"]}, "must have a name and a type"),
        ({"type": "array"}, "must be a type name"),
        ({}, "must be a type name"),
        (None, "must be a type name"),
        (7, "must be a type name"),
    ],
)
def test_what_is_no_schema_or_beyond_measure_is_refused(schema: Any, why: str) -> None:
    with pytest.raises(CorruptData, match=why) as refused:
        avro.by_place(schema)
    assert refused.value.code == "schema"


def test_small_references_to_a_wide_union_end_at_a_limit() -> None:
    wide = _record(("u", ["null"] * 50_000), name="wide")
    bomb = _record(("w", wide), *((f"f{n}", "wide") for n in range(4000)))
    with pytest.raises(CorruptData, match="when it is expanded"):
        avro.by_place(bomb)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["record", "array", "map", "int"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "fields", "items", "values", "size"]), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(json_values)
def test_any_json_is_a_schema_or_corrupt_data(value: Any) -> None:
    try:
        avro.by_place(value)
    except CorruptData as error:
        assert error.code == "schema"  # noqa: PT017 - most values are refused, a few are not


@given(TYPES)
def test_rebuilding_twice_changes_nothing(kind: Any) -> None:
    once = avro.by_place(_record(("a", kind)))
    assert avro.by_place(once) == once


def test_a_fingerprint_ignores_names_and_docs() -> None:
    plain = _record(("a", "int"), ("b", ["null", "float"]))
    dressed = copy.deepcopy(plain) | {"name": "other", "namespace": "x.y", "doc": "an alert", "aliases": ["z"]}
    dressed["fields"][0] |= {"doc": "a number", "default": 3, "unit": "mag"}
    assert avro.fingerprint(dressed) == avro.fingerprint(plain)


@pytest.mark.parametrize(
    "other",
    [
        _record(("a", "int"), ("b", ["float", "null"])),
        _record(("b", ["null", "float"]), ("a", "int")),
        _record(("a", "long"), ("b", ["null", "float"])),
        _record(("a", "int")),
    ],
)
def test_a_fingerprint_tells_what_changes_the_bytes(other: Any) -> None:
    assert avro.fingerprint(other) != avro.fingerprint(_record(("a", "int"), ("b", ["null", "float"])))


def test_new_fields_are_added_at_the_end() -> None:
    merged = avro.merge(_reader(("a", "int"), ("b", "int")), _reader(("c", "int"), ("b", "int"), ("a", "int")))
    assert list(avro.fields_of(merged)) == ["a", "b", "c"]


def test_new_fields_are_found_inside_records_arrays_and_maps() -> None:
    def whole(inner: Any) -> Any:
        return _reader(("r", inner), ("a", {"type": "array", "items": inner}), ("m", {"type": "map", "values": inner}))

    merged = avro.merge(whole(_record(("x", "int"))), whole(_record(("y", "int"))))
    fields = avro.fields_of(merged)
    inner = [fields["r"], avro.not_null(fields["a"])["items"], avro.not_null(fields["m"])["values"]]
    assert [list(avro.fields_of(kind)) for kind in inner] == [["x", "y"]] * 3


@pytest.mark.parametrize(("known", "writer"), [("long", "int"), ("double", "float"), ("double", "int")])
def test_a_narrower_number_is_read_as_the_one_known(known: str, writer: str) -> None:
    assert avro.merge(_reader(("a", known)), _reader(("a", writer))) == _reader(("a", known))


@pytest.mark.parametrize(
    ("known", "writer"),
    [
        ("int", "long"),
        ("float", "double"),
        ("string", "bytes"),
        ("int", _record(("x", "int"))),
        ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}),
    ],
)
def test_another_type_is_a_conflict_named_by_its_place(known: Any, writer: Any) -> None:
    with pytest.raises(CorruptData, match=r"alert\.r\.a must be .*; got") as refused:
        avro.merge(_reader(("r", _record(("a", known)))), _reader(("r", _record(("a", writer)))))
    assert refused.value.code == "schema_conflict"


def test_a_field_that_differs_from_a_known_one_in_case_is_a_conflict() -> None:
    with pytest.raises(CorruptData, match=r"alert\.RB must be spelt as it is known") as refused:
        avro.merge(_reader(("rb", "float")), _reader(("RB", "float")))
    assert refused.value.code == "schema_conflict"


@given(FIELDS, FIELDS)
def test_merging_keeps_what_is_known_and_is_done_after_once(known: Any, writer: Any) -> None:
    before, new = _reader(*known), _reader(*writer)
    try:
        merged = avro.merge(before, new)
    except CorruptData:
        return
    assert list(avro.fields_of(merged))[: len(known)] == [name for name, _ in known]
    assert avro.merge(merged, new) == merged
    assert avro.merge(merged, before) == merged


def _not_nullable(schema: Any, place: str = "alert") -> list[str]:
    wrong = []
    for name, kind in avro.fields_of(schema).items():
        inner = avro.not_null(kind)
        wrong += [] if kind == ["null", inner] else [f"{place}.{name}"]
        wrong += _not_nullable(inner.get("items", inner) if isinstance(inner, dict) else inner, f"{place}.{name}")
    return wrong


def test_an_item_may_be_null_where_any_writer_lets_it_be() -> None:
    def array(items: Any) -> Any:
        return _reader(("a", {"type": "array", "items": items}), ("m", {"type": "map", "values": items}))

    either, never = array(["float", "null"]), array("float")
    assert [kind[1] for kind in avro.fields_of(either).values()] == [
        {"type": "array", "items": ["null", "float"]},
        {"type": "map", "values": ["null", "float"]},
    ]
    assert avro.merge(never, either) == avro.merge(either, never) == either


@given(FIELDS)
def test_every_field_of_a_reader_is_nullable(fields: Any) -> None:
    assert _not_nullable(_reader(*fields)) == []


@pytest.mark.parametrize(
    "kind", [{"type": "enum", "name": "e", "symbols": ["A"]}, {"type": "fixed", "name": "f", "size": 2}]
)
def test_a_type_no_column_can_have_is_refused(kind: Any) -> None:
    with pytest.raises(CorruptData, match="have no column type"):
        _reader(("a", kind))


def test_a_union_of_several_types_has_no_column() -> None:
    with pytest.raises(CorruptData, match="of null and one type"):
        _reader(("a", ["null", "int", "string"]))


def test_paths_lead_through_records_nullable_or_not() -> None:
    schema = avro.by_place(_record(("c", ["null", _record(("jd", "double"))]), ("x", "int")))
    assert [avro.has_path(schema, path) for path in ("x", "c", "c.jd")] == [True] * 3
    assert [avro.has_path(schema, path) for path in ("y", "c.y", "x.jd", "c.jd.z", "", "c.")] == [False] * 6


def test_the_survey_s_schema_is_its_own_reader_s_place_to_start() -> None:
    reader = avro.as_reader(avro.by_place(ZTF.alert_schema))
    assert avro.merge(reader, reader) == reader
    assert _not_nullable(reader) == []
