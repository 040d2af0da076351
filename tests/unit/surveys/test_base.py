from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import UserError
from fink_dagster.surveys.base import LAST_DAY, Night, NightRule
from fink_dagster.surveys.ztf import JD_OF_1970

UTC_NIGHTS = NightRule("jd", JD_OF_1970)
FROM_NOON = NightRule("mjd", 40587.5, 43200.0)
RULES = st.sampled_from([UTC_NIGHTS, FROM_NOON])
DAYS = st.integers(0, LAST_DAY - 1)


@given(DAYS)
def test_a_night_reads_back_from_its_key_and_its_day(day: int) -> None:
    night = Night.of_day(day)
    assert Night.parse(str(night)) == night
    assert night.day == day
    assert night.compact == night.key.replace("-", "")


@given(DAYS, DAYS)
def test_nights_sort_as_their_days(one: int, other: int) -> None:
    assert (Night.of_day(one) < Night.of_day(other)) == (one < other)


@pytest.mark.parametrize(
    "text", ["", "20180819", "2018-8-19", "2018-02-30", "2018-08-19 ", "2018-08-19\n", "2018-W33-7", "٢٠١٨-٠٨-١٩"]
)
def test_a_text_that_is_no_night_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match=r"night: must be a date as YYYY-MM-DD; got '.*'; for example 2018-08-19"):
        Night.parse(text)


@pytest.mark.parametrize("text", ["1969-12-31", "2200-01-01", "9999-12-31"])
def test_a_date_no_alert_can_have_is_no_night(text: str) -> None:
    with pytest.raises(UserError, match="night: must be between 1970 and 2200"):
        Night.parse(text)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(UserError, match=rf"got '{'x' * 40}'; for"):
        Night.parse("x" * 5000)


def _jd(text: str) -> float:
    return JD_OF_1970 + dt.datetime.fromisoformat(f"{text}+00:00").timestamp() / 86400


def test_a_night_of_dates_changes_at_midnight() -> None:
    assert UTC_NIGHTS.night(_jd("2018-08-19T23:59:59.999")) == Night("2018-08-19")
    assert UTC_NIGHTS.night(_jd("2018-08-20T00:00:00")) == Night("2018-08-20")


def test_a_night_from_noon_changes_at_noon() -> None:
    assert FROM_NOON.night(60000.5) == Night("2023-02-25")
    assert FROM_NOON.night(math.nextafter(60000.5, 0)) == Night("2023-02-24")


@given(RULES, st.floats(0, LAST_DAY - 1e-6))
def test_a_time_lies_between_the_begin_and_the_end_of_its_night(rule: NightRule, days: float) -> None:
    time = rule.zero + days
    night = rule.night(time)
    assert night.day <= time - rule.zero < night.day + 1
    begin, end = rule.ends_at(Night.of_day(night.day - 1)), rule.ends_at(night)
    assert end - begin == dt.timedelta(days=1)
    assert begin.timestamp() == night.day * 86400 + rule.unix_zero


def test_a_night_is_over_in_utc() -> None:
    assert UTC_NIGHTS.ends_at(Night("2018-08-19")) == dt.datetime(2018, 8, 20, tzinfo=dt.UTC)
    assert FROM_NOON.ends_at(Night("2018-08-19")) == dt.datetime(2018, 8, 20, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "time", [math.nan, math.inf, -math.inf, 0.0, -1.0, JD_OF_1970 - 1e-6, JD_OF_1970 + LAST_DAY, 1e300]
)
def test_a_time_that_cannot_be_is_refused(time: float) -> None:
    with pytest.raises(ValueError, match="jd: must be a time between 1970 and 2200; got"):
        UTC_NIGHTS.night(time)
