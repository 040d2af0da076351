"""Which filters send, by whose they are and what was decided of which version."""

from __future__ import annotations

import pytest

from fink_dagster.filters.activation import ACTIVE, INACTIVE, NO_LIMIT, Decision, decision_on, is_active, limit_of
from fink_dagster.filters.filter import Filter
from fink_dagster.filters.own import UPSTREAM, Entry
from fink_dagster.plugins.kind import PLATFORM

FILE = "my_filters/faint.py"


def _entry(source: str, version: str = "1") -> Entry:
    return Entry("faint", source, Filter("faint", ("x",), lambda x: x > 0, "Faint alerts", "me", version))


def _decided(state: str, version: str = "1", name: str = "faint", limit: float = 0.1) -> Decision:
    return Decision(name, version, state, limit, "because")


@pytest.mark.parametrize(
    ("source", "sends"), [(PLATFORM, True), (UPSTREAM, False), (FILE, False), ("pack: a:b", False)]
)
def test_only_the_platforms_filters_send_before_anything_is_decided(source: str, sends: bool) -> None:
    assert is_active(_entry(source), []) is sends
    assert is_active(_entry(source), [_decided(INACTIVE if sends else ACTIVE, name="other")]) is sends


@pytest.mark.parametrize("source", [PLATFORM, UPSTREAM, FILE])
def test_the_newest_decision_counts(source: str) -> None:
    assert is_active(_entry(source), [_decided(INACTIVE), _decided(ACTIVE)])
    assert not is_active(_entry(source), [_decided(ACTIVE), _decided(INACTIVE)])


@pytest.mark.parametrize("source", [UPSTREAM, FILE])
def test_a_new_version_of_somebodys_filter_has_to_be_activated_again(source: str) -> None:
    decisions = [_decided(ACTIVE, "1")]
    assert is_active(_entry(source, "1"), decisions)
    assert not is_active(_entry(source, "2"), decisions)
    assert decision_on(_entry(source, "2"), decisions) is None
    assert is_active(_entry(source, "1"), [*decisions, _decided(INACTIVE, "2")])


def test_the_platforms_filter_keeps_its_state_and_its_limit_when_the_platform_is_upgraded() -> None:
    assert not is_active(_entry(PLATFORM, "2"), [_decided(INACTIVE, "1")])
    assert limit_of(_entry(PLATFORM, "2"), [_decided(ACTIVE, "1", limit=0.3)]) == 0.3


def test_a_filter_has_the_limit_it_was_activated_with_and_the_platforms_has_none_before() -> None:
    assert limit_of(_entry(FILE), [_decided(ACTIVE, limit=0.2)]) == 0.2
    assert limit_of(_entry(PLATFORM), []) == NO_LIMIT
