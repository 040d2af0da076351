"""distribution: a batch too large for one transaction, cut off between two of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.transactions import TransactionalWriter
from fink_dagster.stages import distribution
from fink_dagster.stages.distribution import Distribution
from fink_dagster.stages.stage import Batch, NightContext
from tests.integration.stages.archives import enriched

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def test_a_batch_sent_in_parts_and_cut_off_between_two_reaches_its_readers_once(
    context: NightContext,
    batch_of: Callable[..., DataFrame],
    packets: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = enriched(context, batch_of, packets)
    monkeypatch.setattr(distribution, "PART_BYTES", 64)
    send, parts = TransactionalWriter.send, []

    def sending(writer: TransactionalWriter, batch: str, messages: list[Any]) -> Any:
        parts.append(batch)
        if len(parts) == 3:
            raise KeyboardInterrupt
        return send(writer, batch, messages)

    monkeypatch.setattr(TransactionalWriter, "send", sending)
    with pytest.raises(KeyboardInterrupt):
        Distribution(context, []).process(rows, Batch(0, "c"))
    assert parts == ["c/0/0", "c/0/1", "c/0/2"]
    assert not context.lake.reader.count_night("distributed", context.night.key)
    for _ in range(2):
        stage = Distribution(context, [])
        stage.process(rows, Batch(0, "c"))
        stage.close()
    read = read_all(distribution_client(context.settings), stage.count_topic)
    found = Counter(dict(message.headers())["candid"] for message in read)
    assert set(found.values()) == {1}
    assert len(found) == rows.count() == context.lake.reader.count_night("distributed", context.night.key)
