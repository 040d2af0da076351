from __future__ import annotations

import pandas as pd
import pytest

from fink_dagster.errors import UserError
from fink_dagster.filters.filter import Filter
from fink_dagster.filters.registry import filters, get_filter

LIVE = [
    "blazar",
    "early_kn_candidates",
    "early_sn_candidates",
    "fast_riser_candidates",
    "first_pass_candidates",
    "inter_night_hostless",
    "intra_night_hostless",
    "kn_candidates",
    "magnetic_cvs",
    "microlensing_candidates",
    "new_hostless",
    "rate_based_kn_candidates",
    "simbad_grav_candidates",
    "sn_candidates",
    "sso_fink_candidates",
    "sso_ztf_candidates",
    "tns_match",
    "unknowns",
    "vra",
    "yso_candidates",
    "yso_spicy_candidates",
]
"""Upstream's livestream filters for ZTF, by name."""


def _named(name: str) -> Filter:
    return Filter(name, ("x",), lambda x: x > 0, ".", "me", "1")


def test_a_topic_is_named_as_upstream_names_it() -> None:
    assert get_filter("sso_ztf_candidates").topic("ztf") == "fink_sso_ztf_candidates_ztf"


@pytest.mark.parametrize("name", ["", "Sso", "1st", "a-b", "a.b", "../a", "a" * 42, "a\n", "é", None, 7])
def test_a_name_that_cannot_be_in_a_topic_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="filter name: must be"):
        _named(name)


def test_a_survey_that_cannot_be_in_a_topic_is_refused() -> None:
    with pytest.raises(UserError, match="survey name: must be"):
        _named("a").topic("ztf/..")


def test_the_longest_name_is_admitted() -> None:
    assert _named("a" * 41).topic("ztf") == f"fink_{'a' * 41}_ztf"


def test_the_platform_has_every_live_filter_of_upstream_with_an_owner_and_a_description() -> None:
    known = filters()
    assert [item.name for item in known] == LIVE
    assert all(item.owner and item.description and item.version for item in known)


@pytest.mark.parametrize(
    ("name", "verdicts"),
    [
        ("first_pass_candidates", [False, True, False, False, False]),
        ("sso_ztf_candidates", [False, False, False, True, False]),
        ("sso_fink_candidates", [False, False, True, False, False]),
    ],
)
def test_asteroid_filters_follow_the_flag(name: str, verdicts: list[bool]) -> None:
    roid = pd.Series([0, 1, 2, 3, None], dtype="Int32")
    assert pd.Series(get_filter(name).predicate(roid)).fillna(False).tolist() == verdicts


def test_a_misspelt_filter_is_answered_with_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean 'sso_ztf_candidates'"):
        get_filter("sso_ztf_candidate")


def test_a_strange_name_is_answered_with_all() -> None:
    with pytest.raises(UserError, match=r"known are blazar, early_kn_candidates, .*, yso_spicy_candidates"):
        get_filter("qqq")
