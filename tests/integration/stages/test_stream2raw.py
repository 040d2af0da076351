"""stream2raw: every message in raw or in quarantine, once, whatever happens between two writes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import fastavro
import pytest

from fink_dagster.lake.nights import CLOSED, OPEN, change, state_of
from fink_dagster.stages import stream2raw
from fink_dagster.stages.stage import Batch
from fink_dagster.stages.stream2raw import SchemaWidened, Stream2Raw
from fink_dagster.surveys import avro
from tests.conftest import SHARED, packets_in
from tests.integration.stages.conftest import TOPIC
from tests.packets import changed, decoded, encoded, with_identifier, with_new_field
from tests.toy import toy_message

if TYPE_CHECKING:
    from typing import Any

    import pyarrow as pa
    from pyspark.sql import DataFrame

    from fink_dagster.lake.lake import Lake
    from fink_dagster.lake.staging import Staged
    from fink_dagster.stages.stage import NightContext


def with_text(packet: bytes, name: str) -> bytes:
    schema, record = decoded(packet)
    return encoded({**schema, "fields": [*schema["fields"], {"name": name, "type": "string"}]}, {**record, name: "x"})


BatchOf = Callable[..., "DataFrame"]


def stage(context: NightContext) -> Stream2Raw:
    made = Stream2Raw(context)
    made.topics = lambda: [TOPIC]  # type: ignore[method-assign] # the batches are made by hand, there is no topic
    return made


def rows(context: NightContext, table: str) -> list[dict[str, Any]]:
    found = context.lake.reader.rows(table, ("*",))
    return found.to_pylist() if found else []


def test_what_cannot_become_an_alert_is_quarantined_with_its_code(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    good = packets[0]
    schema, record = decoded(good)
    bad = {
        "empty": b"",
        "not_a_container": b"noise" * 1000,
        "too_large": b"Obj\x01" + bytes(5_000_000),
        "truncated": good[:-5],
        "trailing_bytes": good + b"x",
        "sync_marker": good[:-1] + bytes([good[-1] ^ 1]),
        "not_one_record": encoded(schema, record, record),
        "other_survey": encoded({"type": "record", "name": "lsst", "fields": [{"name": "x", "type": "int"}]}, {"x": 1}),
        "night": changed(good, lambda alert: alert["candidate"].update(jd=1e300)),
    }
    stage(context).process(
        batch_of([good, *bad.values(), good[: len(good) // 2], toy_message(sourceId=1)]), Batch(0, "c")
    )
    found = {row["offset"]: row["code"] for row in rows(context, "quarantine")}
    assert [found[place + 1] for place in range(len(bad))] == list(bad)
    assert found[len(bad) + 1] == "truncated"
    assert found[len(bad) + 2] == "not_a_container"
    assert [row["offset"] for row in rows(context, "raw_alerts")] == [0]


def test_a_quarantined_message_is_kept_as_it_came(context: NightContext, batch_of: BatchOf) -> None:
    stage(context).process(batch_of([b"noise"]), Batch(0, "c"))
    (row,) = rows(context, "quarantine")
    assert rows(context, "raw_alerts") == []
    assert (row["value"], row["topic"], row["partition"], row["offset"]) == (b"noise", TOPIC, 0, 0)
    assert row["headers"] == [{"key": "source", "value": b"x"}]
    assert row["text"].startswith("message: must begin with Obj")


def test_raw_rows_encode_back_to_the_bytes_of_the_message(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    messages = list(packets)
    for archive in sorted(SHARED.glob("*.tar.gz")):
        messages += packets_in(archive)[:20]
    stage(context).process(batch_of(messages), Batch(0, "c"))
    schemas = {row["fingerprint"]: json.loads(row["schema"]) for row in rows(context, "writer_schemas")}
    framing, stored = context.survey.framing, rows(context, "raw_alerts")
    assert len(stored) == len(messages)
    for row in stored:
        message = messages[row["offset"]]
        out = io.BytesIO()
        fastavro.schemaless_writer(out, avro.by_place(schemas[row["writer_schema"]]), row)
        assert out.getvalue() == framing.body(message, framing.header(message)), row["candid"]


def test_a_compressed_container_is_the_same_alert(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    schema, record = decoded(packets[0])
    stage(context).process(batch_of([packets[0], encoded(schema, record, codec="deflate")]), Batch(0, "c"))
    plain, inflated = sorted(rows(context, "raw_alerts"), key=lambda row: row["offset"])
    same = [name for name in plain if name not in ("offset", "is_duplicate")]
    assert [plain[name] for name in same] == [inflated[name] for name in same]


def test_the_lowest_coordinate_of_the_first_batch_is_kept_and_the_others_are_duplicates(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    one, two = packets[0], packets[1]
    made = stage(context)
    made.process(batch_of([one, two, one]), Batch(0, "c"))
    made.process(batch_of([two, with_identifier(one, 7)], start=3), Batch(1, "c"))
    found = {row["offset"]: row["is_duplicate"] for row in rows(context, "raw_alerts")}
    assert found == {0: False, 1: False, 2: True, 3: True, 4: False}


def test_a_crash_between_the_two_writes_of_a_batch_leaves_nothing_twice(
    context: NightContext, batch_of: BatchOf, packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, append = batch_of([packets[0], b"noise", packets[1]]), context.lake.append

    def crash(table: str, *arguments: Any) -> bool:
        if table == "quarantine":
            raise KeyboardInterrupt
        return append(table, *arguments)

    monkeypatch.setattr(context.lake, "append", crash)
    with pytest.raises(KeyboardInterrupt):
        stage(context).process(batch, Batch(0, "c"))
    monkeypatch.undo()
    assert (len(rows(context, "raw_alerts")), len(rows(context, "quarantine"))) == (2, 0)
    stage(context).process(batch, Batch(0, "c"))
    stage(context).process(batch, Batch(0, "c"))
    assert (len(rows(context, "raw_alerts")), len(rows(context, "quarantine"))) == (2, 1)


def test_a_crash_before_the_alerts_are_published_leaves_nothing_twice(
    context: NightContext, batch_of: BatchOf, packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream2raw, "publish", crash)
    with pytest.raises(KeyboardInterrupt):
        stage(context).process(batch_of(packets[:2]), Batch(0, "c"))
    monkeypatch.undo()
    assert rows(context, "raw_alerts") == []
    stage(context).process(batch_of(packets[:2]), Batch(0, "c"))
    assert [row["is_duplicate"] for row in rows(context, "raw_alerts")] == [False, False]


def test_a_crash_after_alerts_were_published_behind_another_commit_leaves_nothing_twice(
    context: NightContext, batch_of: BatchOf, packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, others = stream2raw.publish, [stage(context)]

    def crash(lake: Lake, staged: Staged) -> None:
        publish(lake, staged)
        if not others:
            raise KeyboardInterrupt

    def look_late(lake: Lake, staged: Staged, columns: list[str]) -> pa.Table:
        if others:
            others.pop().process(batch_of([packets[2]], topic="ztf_20180820_programid1"), Batch(0, "another"))
            monkeypatch.setattr(stream2raw, "publish", crash)
        return look(lake, staged, columns)

    look = stream2raw.look
    monkeypatch.setattr(stream2raw, "look", look_late)
    with pytest.raises(KeyboardInterrupt):
        stage(context).process(batch_of(packets[:2]), Batch(0, "c"))
    monkeypatch.undo()
    stage(context).process(batch_of(packets[:2]), Batch(0, "c"))
    found = sorted((row["topic"], row["offset"], row["is_duplicate"]) for row in rows(context, "raw_alerts"))
    assert found == [(TOPIC, 0, False), (TOPIC, 1, False), ("ztf_20180820_programid1", 0, False)]


def test_an_alert_only_python_can_hold_is_quarantined(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    schema, record = decoded(packets[0])
    long = encoded(schema, {**record, "publisher": "x" * 1_100_000}, codec="deflate")
    made = stage(context)
    made.process(batch_of([long]), Batch(0, "c"))
    assert rows(context, "raw_alerts") == []
    made.process(batch_of([long, packets[1]], start=1), Batch(1, "c"))
    assert [row["offset"] for row in rows(context, "raw_alerts")] == [2]
    found = {row["offset"]: (row["code"], row["value"]) for row in rows(context, "quarantine")}
    assert found == {0: ("undecodable", long), 1: ("undecodable", long)}


def test_of_two_writers_that_contradict_each_other_one_is_learned(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    schema, record = decoded(packets[0])

    def with_flag(kind: str, value: Any) -> bytes:
        fields = [*schema["fields"], {"name": "flag", "type": kind}]
        return encoded({**schema, "fields": fields}, {**record, "flag": value})

    made, batch = stage(context), batch_of([with_flag("boolean", True), with_flag("string", "x")])
    with pytest.raises(SchemaWidened):
        made.process(batch, Batch(0, "c"))
    made.process(batch, Batch(0, "c"))
    (row,), (wrong,) = rows(context, "raw_alerts"), rows(context, "quarantine")
    assert row["flag"] in (True, "x")
    assert (wrong["code"], wrong["offset"]) == ("schema_conflict", 1 - row["offset"])


def test_a_schema_is_learned_again_when_remembering_it_failed(
    context: NightContext, batch_of: BatchOf, packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, batch = stage(context), batch_of([with_new_field(packets[0], "brightness", 0.25)])

    def fail(*_: Any) -> bool:
        raise TimeoutError

    monkeypatch.setattr(context.lake, "append", fail)
    with pytest.raises(TimeoutError):
        made.process(batch, Batch(0, "c"))
    monkeypatch.undo()
    with pytest.raises(SchemaWidened):
        made.process(batch, Batch(0, "c"))
    made.process(batch, Batch(0, "c"))
    (row,) = rows(context, "raw_alerts")
    assert row["candidate"]["brightness"] == 0.25
    assert len(rows(context, "writer_schemas")) == 1


def test_duplicates_and_damage_in_one_batch_are_both_told(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    stage(context).process(batch_of([packets[0], b"noise", packets[0], packets[1]]), Batch(0, "c"))
    found = {row["offset"]: row["is_duplicate"] for row in rows(context, "raw_alerts")}
    assert found == {0: False, 2: True, 3: False}
    assert [row["offset"] for row in rows(context, "quarantine")] == [1]


def test_an_alert_another_stream_published_in_the_meantime_is_a_duplicate(
    context: NightContext, batch_of: BatchOf, packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, others = stream2raw.look, [stage(context)]

    def look_late(lake: Lake, staged: Staged, columns: list[str]) -> pa.Table:
        if others:
            others.pop().process(batch_of([packets[0]], topic="ztf_20180820_programid1"), Batch(0, "another"))
        return look(lake, staged, columns)

    monkeypatch.setattr(stream2raw, "look", look_late)
    stage(context).process(batch_of(packets[:2]), Batch(0, "c"))
    found = {(row["topic"], row["offset"]): row["is_duplicate"] for row in rows(context, "raw_alerts")}
    assert found == {("ztf_20180820_programid1", 0): False, (TOPIC, 0): True, (TOPIC, 1): False}


def test_a_checkpoint_that_starts_over_reads_nothing_twice(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    stage(context).process(batch_of([packets[0], b"noise"]), Batch(0, "lost"))
    again = batch_of([packets[0], b"noise", packets[1]])
    stage(context).process(again, Batch(0, "new", starts_over=True))
    assert sorted(row["offset"] for row in rows(context, "raw_alerts")) == [0, 2]
    assert [row["offset"] for row in rows(context, "quarantine")] == [1]


def test_a_night_is_opened_before_its_books_change(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    def later(alert: dict[str, Any]) -> None:
        alert["candidate"]["jd"] += 1

    own, other = context.night.key, "2018-08-20"
    for night in (own, other):
        change(context.lake, night, CLOSED, "before", {})
    made = stage(context)
    for number, message in enumerate([b"noise", changed(packets[0], later)]):
        made.process(batch_of([message], start=number), Batch(number, "c"))
        states = [state_of(context.lake.reader, night) for night in (own, other)]
        assert [state.state for state in states if state] == [OPEN, (CLOSED, OPEN)[number]]


def test_a_new_field_widens_the_tables_before_its_first_row(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    batch = batch_of([packets[0], with_new_field(with_identifier(packets[1], 5), "brightness", 0.25)])
    with pytest.raises(SchemaWidened):
        stage(context).process(batch, Batch(0, "c"))
    assert not rows(context, "raw_alerts")
    stage(context).process(batch, Batch(0, "c"))
    found = {row["candid"]: row["candidate"]["brightness"] for row in rows(context, "raw_alerts")}
    assert found[5] == 0.25
    assert sorted(found.values(), key=str) == [0.25, None]


def test_an_item_that_is_null_is_kept_as_null(context: NightContext, batch_of: BatchOf, packets: list[bytes]) -> None:
    schema, record = decoded(packets[0])
    labels = {"name": "labels", "type": {"type": "array", "items": ["null", "string"]}}
    schema["fields"] = [*schema["fields"], labels]
    batch = batch_of([encoded(schema, {**record, "labels": ["a", None]})])
    with pytest.raises(SchemaWidened):
        stage(context).process(batch, Batch(0, "c"))
    stage(context).process(batch, Batch(0, "c"))
    (row,) = rows(context, "raw_alerts")
    assert row["labels"] == ["a", None]


def test_a_field_of_another_type_is_quarantined_and_changes_nothing(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    schema, record = decoded(packets[0])
    next(field for field in schema["fields"] if field["name"] == "publisher")["type"] = "double"
    record["publisher"] = 1.0
    stage(context).process(batch_of([encoded(schema, record)]), Batch(0, "c"))
    (row,) = rows(context, "quarantine")
    assert row["code"] == "schema_conflict"


def test_the_forced_photometry_of_newer_alerts_is_kept(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    schema, record = decoded(packets[0])
    point = {
        "type": "record",
        "name": "fp",
        "fields": [{"name": "jd", "type": "double"}, {"name": "fid", "type": "int"}],
    }
    schema["fields"].append({"name": "fp_hists", "type": ["null", {"type": "array", "items": point}], "default": None})
    record["fp_hists"] = [{"jd": 2458000.5, "fid": 1}]
    stage(context).process(batch_of([encoded(schema, record)]), Batch(0, "c"))
    (row,) = rows(context, "raw_alerts")
    assert (row["fp_hists"][0]["jd"], row["fp_hists"][0]["fid"]) == (2458000.5, 1)


def test_fields_named_like_columns_of_ours_are_quarantined(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    names = ["topic", "Night", "reason", "_added"]
    stage(context).process(batch_of([with_text(packets[0], name) for name in names]), Batch(0, "c"))
    assert [row["code"] for row in rows(context, "quarantine")] == ["reserved_name"] * len(names)
    assert rows(context, "raw_alerts") == []


def test_fields_named_like_columns_in_passing_are_kept(
    context: NightContext, batch_of: BatchOf, packets: list[bytes]
) -> None:
    batch = batch_of([with_text(packets[0], "alert"), with_text(packets[1], "body"), b"noise"])
    with pytest.raises(SchemaWidened):
        stage(context).process(batch, Batch(0, "c"))
    stage(context).process(batch, Batch(0, "c"))
    found = {row["offset"]: (row["alert"], row["body"]) for row in rows(context, "raw_alerts")}
    assert found == {0: ("x", None), 1: (None, "x")}
