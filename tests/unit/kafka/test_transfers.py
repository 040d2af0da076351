"""What a transfer's topic may be called."""

from __future__ import annotations

import pytest

from fink_dagster.errors import UserError
from fink_dagster.kafka.transfers import must_be_a_transfer, transfer_topic


def test_a_transfer_is_called_as_upstream_calls_it() -> None:
    assert transfer_topic("ztf", "2026-03-23", "011487") == "ftransfer_ztf_2026-03-23_011487"


@pytest.mark.parametrize("identity", ["", "a_schema", "../x", "Ä", "x" * 21, "1 OR 1=1", "a\n"])
def test_an_id_that_could_be_taken_for_something_else_is_refused(identity: str) -> None:
    with pytest.raises(UserError, match="choose another id"):
        transfer_topic("ztf", "2026-03-23", identity)


@pytest.mark.parametrize("topic", ["fink_ztf_20180819", "ftransfer_ztf_2026-03-23_1_schema", "__consumer_offsets"])
def test_no_other_topic_passes_for_a_transfer(topic: str) -> None:
    with pytest.raises(UserError, match="must be called"):
        must_be_a_transfer(topic)
