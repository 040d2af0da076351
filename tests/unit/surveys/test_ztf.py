from __future__ import annotations

import json
from importlib.resources import files

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.errors import UserError
from fink_dagster.lake.types import alert_columns
from fink_dagster.surveys import avro, get_survey, survey_names
from fink_dagster.surveys.base import LAST_DAY, Night
from fink_dagster.surveys.ztf import ZTF

SURVEY = ZTF()


@given(st.integers(0, LAST_DAY - 1))
def test_a_topic_names_its_night(day: int) -> None:
    night = Night.of_day(day)
    (topic,) = SURVEY.topics(night)
    assert topic == f"ztf_{night.compact}_programid1"
    assert SURVEY.night_of_topic(topic) == night


@pytest.mark.parametrize(
    "topic",
    [
        *("", "ztf", "ztf_20180819", "ztf_20180819_programid2", "ztf_20180819_programid1_", "xztf_20180819_programid1"),
        *("ztf_20180230_programid1", "ztf_00000819_programid1", "ztf_2018081_programid1", "ztf_20180819_programid1\n"),
        *("ztf_٢٠١٨٠٨١٩_programid1", "fink_ztf_20180819", "ztf_20180819_programid10", "ZTF_20180819_programid1"),
    ],
)
def test_a_topic_that_is_not_ours_has_no_night(topic: str) -> None:
    assert SURVEY.night_of_topic(topic) is None


@given(st.text(max_size=40))
def test_any_text_has_a_night_or_none(topic: str) -> None:
    night = SURVEY.night_of_topic(topic)
    assert night is None or SURVEY.topics(night) == [topic]


def test_the_schema_is_avro_by_the_letter() -> None:
    text = (files("fink_dagster.surveys") / "schemas" / "ztf_alert.avsc").read_text(encoding="utf-8")
    assert fastavro.parse_schema(json.loads(text))
    assert alert_columns(SURVEY.alert_schema)["candid"] == "bigint"


def test_the_schema_has_everything_that_is_declared() -> None:
    schema = avro.by_place(SURVEY.alert_schema)
    named = {*SURVEY.required, *SURVEY.never_null, *(cut.field for cut in SURVEY.cuts)}
    named |= {SURVEY.identifier, SURVEY.object_identifier, SURVEY.night_rule.field}
    assert {path for path in named if not avro.has_path(schema, path)} == set()


def test_every_field_of_the_schema_says_what_it_means() -> None:
    assert [field["name"] for field in SURVEY.alert_schema["fields"] if not field.get("doc")] == []


def test_cuts_have_one_reason_each() -> None:
    reasons = [cut.reason for cut in SURVEY.cuts]
    assert reasons == ["nbad", "rb", "fid"]


def test_surveys_are_found_by_name() -> None:
    assert [get_survey(name).name for name in survey_names()] == survey_names()


@pytest.mark.parametrize(
    ("name", "hint"), [("zft", "did you mean 'ztf'"), ("ZTF2", "known are ztf"), ("", "known are ztf")]
)
def test_an_unknown_survey_is_answered_with_the_cure(name: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"survey: must be one the platform knows; got '{name}'; {hint}"):
        get_survey(name)
