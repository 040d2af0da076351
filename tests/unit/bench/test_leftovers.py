"""What is removed after a round."""

from __future__ import annotations

from bench.leftovers import topics_of
from fink_dagster.filters.filter import Filter
from fink_dagster.stages.distribution import count_topic
from fink_dagster.surveys.base import Night

NIGHT = Night("2024-05-06")


def topics_of_a_round(name: str) -> set[str]:
    sent = Filter("vra", (), len, "", "", "1").topic(name)
    counted = count_topic(name, NIGHT.compact)
    return {sent, counted, f"{counted}_markers"}


def test_all_topics_of_a_round_are_its_own_and_nobody_elses() -> None:
    one, other = topics_of_a_round("round_1_distribution"), topics_of_a_round("round_1_distribution_2")
    there = {*one, *other, "ztf_20240506_programid1", "round_1_distribution"}
    assert set(topics_of(there, "round_1_distribution", NIGHT)) == one
    assert set(topics_of(there, "round_1_distribution_2", NIGHT)) == other
