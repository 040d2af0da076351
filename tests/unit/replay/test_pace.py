"""When packets are due."""

from __future__ import annotations

import math

import pytest

from fink_dagster.errors import UserError
from fink_dagster.replay.pace import pace_of
from fink_dagster.replay.packet import Moment
from fink_dagster.surveys.base import Night


def at(seconds: float) -> Moment:
    return Moment(2458349.5 + seconds / 86400, Night("2018-08-19"))


def test_without_a_limit_all_are_due_at_once():
    pace = pace_of(None, original_speed=False)
    assert [pace.due(sent, None) for sent in (0, 1, 10_000)] == [0, 0, 0]


def test_a_rate_spreads_packets_evenly():
    pace = pace_of(4.0, original_speed=False)
    assert [pace.due(sent, None) for sent in range(5)] == [0, 0.25, 0.5, 0.75, 1.0]


def test_original_speed_counts_from_the_first_packet_that_is_sent():
    pace = pace_of(None, original_speed=True)
    assert [pace.due(sent, at(100 + later)) for sent, later in enumerate((0, 30, 37))] == pytest.approx(
        [0, 30, 37], abs=1e-3
    )


def test_a_packet_out_of_order_is_not_waited_for():
    pace = pace_of(None, original_speed=True)
    pace.due(0, at(100))
    assert pace.due(1, at(60)) <= 0


def test_a_damaged_packet_is_not_waited_for():
    pace = pace_of(None, original_speed=True)
    assert pace.due(0, None) == 0
    assert pace.due(1, at(500)) == 0
    assert pace.due(2, None) == 0
    assert pace.due(3, at(510)) == pytest.approx(10, abs=1e-3)


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf])
def test_a_rate_is_a_positive_number(rate: float):
    with pytest.raises(UserError, match="rate must be a number of packets a second above 0"):
        pace_of(rate, original_speed=False)


def test_two_speeds_cannot_both_be_meant():
    with pytest.raises(UserError, match="must have one speed"):
        pace_of(5.0, original_speed=True)
