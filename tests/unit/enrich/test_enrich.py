from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.enrich import reading
from fink_dagster.enrich.enrich import Summary, enrich
from fink_dagster.enrich.outputs import enriched_schema
from fink_dagster.enrich.plan import Plan, plan_of
from fink_dagster.enrich.sources import open_source
from fink_dagster.enrich.target import target_of
from fink_dagster.errors import OperationError, UserError
from fink_dagster.science.module import Module, Output
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Survey
from tests.packets import changed, decoded, with_identifier, with_new_field
from tests.toy import Toy, toy_message
from tests.unit.enrich.conftest import avro_file, container_of, table_of

ZTF = get_survey("ztf")
PLAN = plan_of(ZTF, ["roid"])


class Done:
    """What a run wrote and said."""

    def __init__(self, source: Path, folder: Path, plan: Plan = PLAN, survey: Survey = ZTF) -> None:
        opened = open_source(source, survey)
        target = target_of(folder / "done.parquet", opened, overwrite=True)
        self.bytes_read: list[int] = []
        self.summary: Summary = enrich(opened, target, plan, self.bytes_read.append)
        self.tables = {what: pq.read_table(file) for what, file in target.files.items()}

    def rows(self, what: str = "enriched") -> list[dict[str, Any]]:
        return self.tables[what].to_pylist()


def _module(name: str, function: Any, *outputs: Output, needs: tuple[str, ...] = ("candidate.magpsf",)) -> Module:
    return Module(name, "7", needs, outputs or (Output(name, "double", "mag", "."),), function)


def test_every_alert_is_in_exactly_one_table(sample_tarball: Path, packets: list[bytes], tmp_path: Path) -> None:
    done = Done(sample_tarball, tmp_path)
    science, rejected = ([row["candid"] for row in done.rows(what)] for what in ("enriched", "rejected"))
    every = [decoded(packet)[1]["candid"] for packet in packets]
    assert sorted(science + rejected) == sorted(every)
    assert science == [candid for candid in every if candid in science], "the order is the source's"
    assert (len(science), len(rejected), done.rows("quarantined")) == (20, 10, [])
    assert (done.summary.read, done.summary.science) == (30, 20)
    assert done.summary.rejected == Counter(row["reason"] for row in done.rows("rejected"))


def test_all_bytes_of_a_source_are_reported(
    sample_tarball: Path, folder_of_packets: Path, parquet_file: Path, tmp_path: Path
) -> None:
    for source in (sample_tarball, folder_of_packets, parquet_file):
        size = open_source(source, ZTF).size
        assert size * 0.95 <= sum(Done(source, tmp_path).bytes_read) <= size


@pytest.mark.parametrize("kind", ["folder", "null", "deflate", "parquet", "folder of parquet"])
def test_an_alert_gets_the_same_row_whatever_it_comes_in(
    kind: str, sample_tarball: Path, folder_of_packets: Path, parquet_file: Path, packets: list[bytes], tmp_path: Path
) -> None:
    if kind == "folder of parquet":
        source = tmp_path / "table"
        (source / "part=1").mkdir(parents=True)
        pq.write_table(table_of(packets[:13]), source / "a.parquet")
        pq.write_table(table_of(packets[13:]), source / "part=1" / "b.parquet")
    elif kind in ("null", "deflate"):
        source = avro_file(tmp_path / "all.avro", packets, kind)
    else:
        source = {"folder": folder_of_packets, "parquet": parquet_file}[kind]
    expected, done = Done(sample_tarball, tmp_path), Done(source, tmp_path)
    assert done.tables["enriched"].equals(expected.tables["enriched"])
    assert done.tables["rejected"].equals(expected.tables["rejected"])


@pytest.mark.parametrize("size", [1, 7, 30])
def test_chunks_of_any_size_give_the_same_rows(
    size: int, sample_tarball: Path, parquet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Done(sample_tarball, tmp_path).tables
    monkeypatch.setattr(reading, "CHUNK_ALERTS", size)
    for source in (sample_tarball, parquet_file):
        tables = Done(source, tmp_path).tables
        assert all(tables[what].equals(expected[what]) for what in expected)


def test_columns_are_those_declared_with_what_failed_and_versions(sample_tarball: Path, tmp_path: Path) -> None:
    done = Done(sample_tarball, tmp_path)
    table = done.tables["enriched"]
    assert table.schema == enriched_schema(ZTF, PLAN.modules)
    assert table.column_names == ["objectId", "candid", "nalerthist", "roid", "science_status", "science_versions"]
    assert table.schema.field("roid").type == pa.int32()
    assert table.schema.field("roid").metadata[b"meaning"].startswith(b"Asteroid flag")
    versions = [(module.name, module.version) for module in PLAN.modules]
    assert all((row["science_status"], row["science_versions"]) == ([], versions) for row in done.rows())


def test_types_come_from_declarations_even_where_all_is_null(sample_tarball: Path, tmp_path: Path) -> None:
    kinds = ("int", "bigint", "float", "double", "string", "boolean")
    outputs = (*(Output(f"a_{kind}", kind, "", ".") for kind in kinds), Output("record", "", "", ".", ("x", "y")))
    nothing = _module("nothing", lambda x: pd.DataFrame({out.name: [None] * len(x) for out in outputs}), *outputs)
    schema = Done(sample_tarball, tmp_path, Plan(ZTF, (nothing,), ())).tables["enriched"].schema
    kinds_written = [str(schema.field(out.name).type) for out in outputs]
    assert kinds_written == ["int32", "int64", "float", "double", "string", "bool", "struct<x: double, y: double>"]


def test_values_of_every_type_arrive(sample_tarball: Path, tmp_path: Path) -> None:
    outputs = (
        Output("big", "bigint", "", "."),
        Output("record", "", "", ".", ("x", "y")),
        Output("text", "string", "", "."),
        Output("flag", "boolean", "", "."),
    )

    def function(magpsf: pd.Series) -> pd.DataFrame:
        rows = len(magpsf)
        records = pd.Series([{"x": 1.5, "y": None}, None] * rows, dtype=object)[:rows]
        return pd.DataFrame({"big": [2**62 + 1] * rows, "record": records, "text": ["a"] * rows, "flag": [True] * rows})

    rows = Done(sample_tarball, tmp_path, Plan(ZTF, (_module("all", function, *outputs),), ())).rows()
    assert [row["record"] for row in rows[:2]] == [{"x": 1.5, "y": None}, None]
    assert {(row["big"], row["text"], row["flag"]) for row in rows} == {(2**62 + 1, "a", True)}


def test_without_cuts_nothing_is_rejected(sample_tarball: Path, tmp_path: Path) -> None:
    done = Done(sample_tarball, tmp_path, plan_of(ZTF, ["roid"], with_cuts=False))
    assert (done.summary.science, done.rows("rejected")) == (30, [])


def test_a_module_that_fails_leaves_nulls_and_is_counted_with_its_sentence(
    sample_tarball: Path, tmp_path: Path
) -> None:
    def odd(magpsf: pd.Series) -> np.ndarray:
        return np.where(np.arange(len(magpsf)) % 2, np.nan, 1.0)

    def broken(magpsf: pd.Series) -> pd.Series:
        message = "no such band"
        raise ValueError(message)

    after = _module("after", lambda x: x, needs=("broken",))
    plan = Plan(ZTF, (_module("odd", odd), _module("broken", broken), after), tuple(ZTF.cuts))
    done = Done(sample_tarball, tmp_path, plan)
    assert done.summary.failures == {("odd", "nan"): 10, ("broken", "raised"): 20, ("after", "no_input"): 20}
    assert "no such band" in done.summary.sentences["broken", "raised"]
    rows = done.rows()
    assert [row["odd"] for row in rows[:2]] == [1.0, None]
    assert dict(rows[0]["science_status"]) == {"broken": "raised", "after": "no_input"}
    assert {row["broken"] for row in rows} == {None}


def test_identifiers_of_18_digits_survive_nulls_beside_them(packets: list[bytes], tmp_path: Path) -> None:
    table = table_of([with_identifier(packets[0], 2**62 + number) for number in (1, 3, 5)])
    identifiers = pa.array([2**62 + 1, None, 2**62 + 5])
    path = tmp_path / "alerts.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("candid"), "candid", identifiers), path)
    done = Done(path, tmp_path, plan_of(ZTF, ["roid"], with_cuts=False))
    assert [row["candid"] for row in done.rows()] == [2**62 + 1, 2**62 + 5]
    (lost,) = done.rows("quarantined")
    assert (lost["source"], lost["position"], lost["code"]) == ("alerts.parquet", 1, "missing_value")
    assert lost["text"] == "message: candid must have a value; it is null"


def test_columns_named_like_ours_are_computed_anew(sample_tarball: Path, packets: list[bytes], tmp_path: Path) -> None:
    table = table_of(packets)
    for name in ("roid", "nalerthist"):
        table = table.append_column(name, pa.array([99] * len(table)))
    pq.write_table(table, tmp_path / "old.parquet")
    expected = Done(sample_tarball, tmp_path).tables["enriched"]
    assert Done(tmp_path / "old.parquet", tmp_path).tables["enriched"].equals(expected)


def test_history_and_stamps_may_be_absent(packets: list[bytes], tmp_path: Path) -> None:
    pq.write_table(table_of(packets, "objectId", "candid", "candidate"), tmp_path / "bare.parquet")
    done = Done(tmp_path / "bare.parquet", tmp_path, plan_of(ZTF))
    assert done.summary.science == 20
    assert {row["nalerthist"] for row in done.rows()} == {1}


def test_fields_the_survey_does_not_declare_are_no_obstacle(packets: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "new.avro"
    path.write_bytes(with_new_field(packets[0], "brandnew", 1.0))
    assert Done(path, tmp_path).summary.read == 1


def test_damaged_packets_are_set_aside_with_their_place_and_the_others_go_on(
    folder_of_packets: Path, tmp_path: Path
) -> None:
    whole = Done(folder_of_packets, tmp_path).summary
    first = folder_of_packets / "000.avro"
    (folder_of_packets / "000a.avro").write_bytes(first.read_bytes()[:-5])
    (folder_of_packets / "000b.avro").write_bytes(b"")
    (folder_of_packets / "000c.avro").write_bytes(b"<html>")
    (folder_of_packets / "000d.avro").write_bytes(first.read_bytes()[:-1] + b"!")
    (folder_of_packets / "000e.avro").write_bytes(
        changed(first.read_bytes(), lambda alert: alert["candidate"].update(jd=1.0))
    )
    done = Done(folder_of_packets, tmp_path)
    assert (done.summary.science, done.summary.rejected) == (whole.science, whole.rejected)
    assert {row["source"]: row["code"] for row in done.rows("quarantined")} == {
        "000a.avro": "truncated",
        "000b.avro": "empty",
        "000c.avro": "not_a_container",
        "000d.avro": "sync_marker",
        "000e.avro": "night",
    }
    assert [each.place.source for each in done.summary.examples] == [row["source"] for row in done.rows("quarantined")]


def test_damage_in_a_tarball_is_named_by_its_packet(sample_tarball: Path, packets: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "night.tar.gz"
    for name, data in (("1.avro", packets[0]), ("2.avro", packets[1][:100])):
        (tmp_path / name).write_bytes(data)
    with tarfile.open(path, "w:gz") as tar:
        for name in ("1.avro", "2.avro"):
            tar.add(tmp_path / name, name)
    done = Done(path, tmp_path)
    assert done.summary.read == 1
    assert [(row["source"], row["position"]) for row in done.rows("quarantined")] == [("2.avro", 0)]


def test_blocks_before_the_damage_in_a_file_are_kept(packets: list[bytes], tmp_path: Path) -> None:
    path = avro_file(tmp_path / "all.avro", packets)
    path.write_bytes(path.read_bytes()[:-100])
    done = Done(path, tmp_path)
    (lost,) = done.rows("quarantined")
    assert 0 < done.summary.read < 30
    assert (lost["source"], lost["position"], lost["code"]) == ("all.avro", done.summary.read, "truncated")


def test_a_block_that_does_not_decode_takes_no_other_with_it(packets: list[bytes], tmp_path: Path) -> None:
    path = avro_file(tmp_path / "all.avro", packets, block_bytes=1)
    data = bytearray(path.read_bytes())
    place = data.index(decoded(packets[1])[1]["objectId"].encode())
    data[place - 1] = 0x7F
    path.write_bytes(data)
    done = Done(path, tmp_path)
    assert done.summary.read == 29
    assert [(row["position"], row["code"]) for row in done.rows("quarantined")] in (
        [(1, "avro")],
        [(1, "trailing_bytes")],
    )


def test_a_value_beyond_its_fields_type_is_damage(packets: list[bytes], tmp_path: Path) -> None:
    schema, record = decoded(packets[0])
    point = next(field for field in schema["fields"] if field["name"] == "candidate")["type"]
    next(field for field in point["fields"] if field["name"] == "fid")["type"] = "long"
    broken = {**record, "candidate": {**record["candidate"], "fid": 2**40}}
    path = tmp_path / "long.avro"
    path.write_bytes(container_of(record, broken, record, schema=schema))
    done = Done(path, tmp_path)
    assert done.summary.read == 2
    assert [(row["position"], row["code"]) for row in done.rows("quarantined")] == [(1, "schema_conflict")]


def test_where_no_alert_can_be_read_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    schema = {"type": "record", "name": "other", "fields": [{"name": "diaSourceId", "type": "long"}]}
    (tmp_path / "in" / "other.avro").write_bytes(container_of({"diaSourceId": 1}, schema=schema))
    (tmp_path / "in" / "text.avro").write_bytes(b"hello")
    (tmp_path / "out").mkdir()
    with pytest.raises(
        OperationError, match=r"got 2 damaged, first 'other.avro': message: an alert of ztf must have objectId"
    ):
        Done(tmp_path / "in", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_without_records_is_not_passed_over(packets: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "none.avro"
    path.write_bytes(container_of(schema=decoded(packets[0])[0]))
    with pytest.raises(OperationError, match="must hold a record; it holds none"):
        Done(path, tmp_path)


def test_a_tarball_that_breaks_off_leaves_nothing_and_what_was_there(sample_tarball: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "done.parquet").write_bytes(b"earlier")
    path = tmp_path / "night.tar.gz"
    path.write_bytes(sample_tarball.read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"must be a whole .tar.gz of packets"):
        Done(path, out)
    assert [(file.name, file.read_bytes()) for file in out.iterdir()] == [("done.parquet", b"earlier")]


def test_an_empty_table_gives_empty_tables(packets: list[bytes], tmp_path: Path) -> None:
    pq.write_table(table_of(packets)[:0], tmp_path / "none.parquet")
    done = Done(tmp_path / "none.parquet", tmp_path)
    assert {what: len(table) for what, table in done.tables.items()} == {"enriched": 0, "rejected": 0, "quarantined": 0}


def test_another_survey_goes_the_same_way_in_its_own_framing(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    for number, quality in enumerate([0.9, 0.1, None]):
        (folder / f"{number}.avro").write_bytes(toy_message(sourceId=2**60 + number, quality=quality))
    toy = Toy()
    done = Done(folder, tmp_path, plan_of(toy), toy)
    assert [(row["sourceId"], row["objectName"]) for row in done.rows()] == [(2**60, "a")]
    assert [row["reason"] for row in done.rows("rejected")] == ["quality", "quality"]
