"""The filters distribution is measured with."""

from __future__ import annotations

import pandas as pd
import pytest

from bench.outputs import filters_to_send_with
from fink_dagster.filters.apply import judge
from fink_dagster.filters.filter import Filter
from fink_dagster.stages.judgement import filters_for
from fink_dagster.surveys.ztf import ZTF


@pytest.fixture
def active() -> list[Filter]:
    return filters_for(ZTF())


def names(filters: list[Filter]) -> list[str]:
    return [item.name for item in filters]


@pytest.mark.parametrize("number", [2, 20, 100])
def test_there_are_as_many_as_asked_for_each_with_a_topic_of_its_own(active: list[Filter], number: int) -> None:
    chosen = filters_to_send_with(number, active, ZTF())
    assert len({item.topic("round_1_distribution_100") for item in chosen}) == number


def test_the_platforms_come_first_and_fewer_are_among_the_more(active: list[Filter]) -> None:
    few, more, many = (names(filters_to_send_with(number, active, ZTF())) for number in (2, 20, 100))
    assert few == more[:2] == names(active[:2])
    assert more == many[:20]
    assert names(active) == many[: len(active)]


def test_each_that_is_made_passes_another_hundredth_of_the_alerts() -> None:
    made = filters_to_send_with(100, [], ZTF())
    identifiers = range(10**17, 10**17 + 1000)
    verdicts = judge(pd.DataFrame({"candid": identifiers}), made)
    assert [len(passed) for passed in verdicts.passed] == [1] * 1000
    assert {name: sum(name in passed for passed in verdicts.passed) for name in names(made)} == dict.fromkeys(
        names(made), 10
    )
