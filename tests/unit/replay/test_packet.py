"""The time a packet tells."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fink_dagster.errors import CorruptData
from fink_dagster.replay.packet import Packet, moment_of
from fink_dagster.surveys import get_survey

ZTF = get_survey("ztf")
Bytes = Callable[..., bytes]


def packet(data: bytes) -> Packet:
    return Packet(0, "1.avro", data)


@pytest.mark.parametrize(
    ("jd", "night"),
    [
        (2458349.5, "2018-08-19"),
        (math.nextafter(2458350.5, 0), "2018-08-19"),
        (2458350.5, "2018-08-20"),
    ],
)
def test_a_packet_belongs_to_the_night_of_its_own_time(packet_bytes: Bytes, jd: float, night: str):
    moment = moment_of(packet(packet_bytes(jd)), ZTF)
    assert (moment.time, str(moment.night)) == (jd, night)


@pytest.mark.parametrize("jd", [None, math.nan, math.inf, -math.inf, 0.0, 1e300, -5.0])
def test_a_time_of_no_calendar_is_no_time(packet_bytes: Bytes, jd: float | None):
    with pytest.raises(CorruptData) as raised:
        moment_of(packet(packet_bytes(jd)), ZTF)
    assert raised.value.code == "night"


@pytest.mark.parametrize("cut", [0, 3, 4, 50, -1, -16, -20])
def test_a_damaged_packet_tells_nothing(packet_bytes: Bytes, cut: int):
    with pytest.raises(CorruptData):
        moment_of(packet(packet_bytes(2458349.6)[:cut]), ZTF)


@given(place=st.integers(min_value=0, max_value=10_000), value=st.integers(min_value=0, max_value=255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_wrong_byte_leads_to_a_moment_or_to_corrupt_data(packet_bytes: Bytes, place: int, value: int):
    data = bytearray(packet_bytes(2458349.6))
    data[place % len(data)] = value
    try:
        moment = moment_of(packet(bytes(data)), ZTF)
    except CorruptData:
        return
    assert math.isfinite(moment.time)
