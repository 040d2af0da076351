"""What happens when messages do not arrive; nothing answers at the address used here."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from fink_dagster.errors import TransientError
from fink_dagster.kafka.clients import client_config
from fink_dagster.replay.delivery import Delivery
from fink_dagster.settings import KafkaCluster

NOBODY = client_config(KafkaCluster(), "127.0.0.1:1")


@pytest.fixture
def delivery() -> Iterator[Delivery]:
    with Delivery(NOBODY, lambda: None, seconds=1) as delivery:
        yield delivery


def test_what_did_not_arrive_is_an_error_that_counts(delivery: Delivery):
    for _ in range(3):
        delivery.send("t", 0, b"packet", [])
    with pytest.raises(TransientError, match=r"3 of 3 sent did not .*127\.0\.0\.1:1; none did in 1 s.*run it again"):
        delivery.finish()
    assert (delivery.given, delivery.arrived, delivery.failed) == (3, 0, 3)


def test_nothing_more_is_sent_once_the_broker_is_gone(delivery: Delivery):
    delivery.send("t", 0, b"packet", [])
    with pytest.raises(TransientError):
        delivery.finish()
    before = time.monotonic()
    delivery.wait_until(before + 60)
    delivery.send("t", 0, b"packet", [])
    assert delivery.given == 1
    assert time.monotonic() - before < 5


def test_nothing_sent_is_nothing_wrong(delivery: Delivery):
    delivery.finish()


def test_waiting_ends_at_its_moment(delivery: Delivery):
    before = time.monotonic()
    delivery.wait_until(before + 0.2)
    delivery.wait_until(before - 10)
    assert 0.2 <= time.monotonic() - before < 1


def test_left_early_it_drops_what_is_queued_and_ends_its_thread():
    before = threading.active_count(), time.monotonic()
    with Delivery(NOBODY, lambda: None, seconds=60) as delivery:
        delivery.send("t", 0, b"packet", [])
    assert delivery.given == delivery.failed
    assert threading.active_count() == before[0]
    assert time.monotonic() - before[1] < 3
