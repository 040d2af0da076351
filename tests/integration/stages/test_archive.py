"""archive on a real HBase: every table, the newest alert of an object, and rows that are put again."""

from __future__ import annotations

import io
from contextlib import closing
from itertools import permutations
from typing import TYPE_CHECKING, Any

import fastavro
import pytest

from fink_dagster.errors import TransientError
from fink_dagster.hbase.amending import remove
from fink_dagster.hbase.codec import decode
from fink_dagster.hbase.connection import connect
from fink_dagster.hbase.objects import places_table
from fink_dagster.stages.archive import Archive
from fink_dagster.stages.stage import Batch, NightContext
from fink_dagster.surveys.ztf import ZTF
from tests.integration.stages.archives import enriched, scanned

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

    from fink_dagster.hbase.tables import Table

PASSES = 0
"""Place of a packet that passes the cuts."""


@pytest.fixture
def context(context: NightContext) -> NightContext:
    context.survey.archive_tables = ZTF.archive_tables
    return context


def tables_by_name(context: NightContext) -> dict[str, Table]:
    return {table.name.removeprefix(context.survey.name): table for table in Archive(context).tables}


def test_an_alert_is_in_every_table_it_belongs_to_and_the_same_batch_again_changes_nothing(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> None:
    rows = enriched(context, batch_of, packets)
    alerts = [row.asDict(recursive=True) for row in rows.collect()]
    stage = Archive(context)
    stage.process(rows, Batch(0, "archive"))
    names = ["", ".pixel128", ".pixel128.objects", ".class", ".ssnamenr", ".tracklet", ".tns", ".upper"]
    names += [".uppervalid", ".cutouts"]
    held = {name: scanned(context, f"{context.survey.name}{name}") for name in names}
    assert len(alerts) == len(held[""]) == len(held[".class"]) == len(held[".cutouts"]) == 20
    assert len(held[".pixel128"]) == len({alert["objectId"] for alert in alerts})
    assert {".ssnamenr", ".tracklet", ".tns"} == {name for name in names if not held[name]}
    assert set(held[".upper"]) == {
        f"{alert['objectId']}_{point['jd']!r}".encode() for alert in alerts for point in _limits(alert)
    }
    assert set(held[".uppervalid"]) == {
        f"{alert['objectId']}_{point['jd']!r}_{point['candid']}".encode()
        for alert in alerts
        for point in alert["prv_candidates"] or ()
        if point["magpsf"] is not None and not (point["rb"] >= 0.55 and point["nbad"] == 0)
    }
    assert held[".upper"]
    assert held[".uppervalid"]

    acknowledged = context.lake.reader.rows("archived", ("row_key", "index_keys")).to_pylist()
    assert {row["row_key"] for row in acknowledged} == set(held[""])
    keys = {(name, key) for row in acknowledged for name, key in row["index_keys"]}
    assert keys == {(f"{context.survey.name}{name}", key) for name in (".class", ".cutouts") for key in held[name]}
    Archive(context).process(rows, Batch(0, "archive"))
    Archive(context).put(rows).collect()
    assert {name: scanned(context, f"{context.survey.name}{name}") for name in names} == held


def test_where_an_alert_stands_in_the_lake_is_in_its_row(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> None:
    rows = enriched(context, batch_of, packets[:8])
    Archive(context).put(rows).collect()
    columns = tables_by_name(context)[".cutouts"].columns
    found = {
        tuple(decode(cells[column.cell][0], column.type) for column in columns if column.path != "candidate.jd")
        for cells in scanned(context, f"{context.survey.name}.cutouts").values()
    }
    names = [column.name for column in columns if column.path != "candidate.jd"]
    assert found == {tuple(row[name] for name in names) for row in rows.select(*names).collect()}


def _limits(alert: dict[str, Any]) -> list[dict[str, Any]]:
    points = alert["prv_candidates"] or []
    if not points or points[-1]["magpsf"] is not None:
        return []
    return [point for point in points if point["magpsf"] is None]


def _edited(packet: bytes, name: str, candid: int, **candidate: float) -> bytes:
    reader = fastavro.reader(io.BytesIO(packet))
    alert = next(reader)
    alert |= {"objectId": name, "candid": candid}
    alert["candidate"] |= {"candid": candid, **candidate}
    out = io.BytesIO()
    fastavro.writer(out, reader.writer_schema, [alert])
    return out.getvalue()


def test_an_object_has_one_row_of_its_newest_alert_in_whatever_order_and_place_they_come(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> None:
    alert = next(fastavro.reader(io.BytesIO(packets[PASSES])))["candidate"]
    # The second alert lies in another pixel, the third in that of the first.
    steps = [(0.0, 0.0), (5.0, 0.01), (0.0, 0.02)]
    orders = {f"ZTF18order{place}": order for place, order in enumerate(permutations(range(3)))}
    made = [
        _edited(packets[PASSES], name, 10 * place + step, ra=alert["ra"] + turn, jd=alert["jd"] + later)
        for place, name in enumerate(orders)
        for step, (turn, later) in enumerate(steps)
    ]
    rows = enriched(context, batch_of, made)
    assert rows.count() == 18
    for turn in range(3):
        due = [10 * place + order[turn] for place, order in enumerate(orders.values())]
        Archive(context).put(rows.where(rows["candid"].isin(due))).collect()
        held = _objects(context)
        assert held == {
            name: (10 * place + max(order[: turn + 1])) for place, (name, order) in enumerate(orders.items())
        }
    notes = scanned(context, f"{context.survey.name}.pixel128.objects")
    column = places_table(tables_by_name(context)[".pixel128"]).by_name["row_key"]
    keys = {cells[column.cell][0] for cells in notes.values()}
    assert keys == set(scanned(context, f"{context.survey.name}.pixel128"))


def _objects(context: NightContext) -> dict[str, int]:
    """Return of which alert the row of each object is; an object with two rows is an error."""
    rows = scanned(context, f"{context.survey.name}.pixel128").values()
    found = {cells[b"i:objectId"][0].decode(): decode(cells[b"i:candid"][0], "bigint") for cells in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.slow  # the workers try for as long as a region server may take to come back
def test_a_table_that_is_gone_is_no_end_of_the_night_and_rows_that_were_deleted_come_back(
    context: NightContext, batch_of: Callable[..., DataFrame], packets: list[bytes]
) -> None:
    rows = enriched(context, batch_of, packets[:8])
    stage, main = Archive(context), context.survey.name
    stage.prepare()
    with closing(connect(*context.settings.hbase)) as connection:
        connection.delete_table(f"{main}.class", disable=True)
    with pytest.raises(TransientError, match=r"must take every alert; got .*must be ready.*batch comes again"):
        stage.process(rows, Batch(0, "archive"))
    stage.process(rows, Batch(0, "archive"))
    held = scanned(context, main)
    assert len(held) == len(scanned(context, f"{main}.class")) == rows.count()

    remove(context.settings.hbase, stage.tables[0], held)
    assert not scanned(context, main)
    context.lake.spark.sql(f"DELETE FROM {context.lake.name('archived')}")
    stage.process(rows, Batch(0, "again", starts_over=True))
    assert set(scanned(context, main)) == set(held)
