"""Messages made for the benchmark are alerts like the real ones."""

from __future__ import annotations

import io
from itertools import islice

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.messages import Template, _varint, messages
from fink_dagster.surveys import container
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import JD_OF_1970, ZTF

NIGHT = Night("2024-05-05")


@pytest.fixture
def templates(packets: list[bytes]) -> list[Template]:
    return [Template.of(packet, ZTF()) for packet in packets[:3]]


def made(templates: list[Template], number: int, seed: int = 1) -> list[bytes]:
    return list(messages(templates, NIGHT, JD_OF_1970, number, seed))


def read(message: bytes) -> dict:
    return dict(next(fastavro.reader(io.BytesIO(message))))


def test_a_packet_put_together_again_is_the_packet(packets: list[bytes]) -> None:
    for packet in packets:
        template = Template.of(packet, ZTF())
        assert template.packed(template.alert) == packet


def test_a_message_keeps_all_but_identifier_object_and_dates(templates: list[Template]) -> None:
    (message,) = made(templates, 1)
    alert, original = read(message), templates[0].alert
    changed = {"candid", "objectId", "candidate", "prv_candidates"}
    assert {name: alert[name] for name in alert if name not in changed} == {
        name: original[name] for name in original if name not in changed
    }
    assert {name for name, value in alert["candidate"].items() if value != original["candidate"][name]} == {
        name for name, value in original["candidate"].items() if name.startswith("jd") and value is not None
    } | {"candid"}


def test_identifiers_are_fresh_in_every_place_they_stand(templates: list[Template]) -> None:
    alerts = [read(message) for message in made(templates, 20)]
    assert len({alert["candid"] for alert in alerts}) == 20
    assert all(alert["candid"] == alert["candidate"]["candid"] for alert in alerts)
    assert {len(str(alert["candid"])) for alert in alerts} == {18}


def test_every_alert_is_of_the_night_and_its_history_moves_with_it(templates: list[Template]) -> None:
    for place, message in enumerate(made(templates, 6)):
        alert, original = read(message), templates[place % 3].alert
        jd = alert["candidate"]["jd"]
        assert ZTF().night_rule.night(jd) == NIGHT
        for point, before in zip(alert["prv_candidates"] or (), original["prv_candidates"] or (), strict=True):
            assert jd - point["jd"] == pytest.approx(original["candidate"]["jd"] - before["jd"], abs=1e-6)


def test_a_message_is_a_whole_container_of_the_survey(templates: list[Template]) -> None:
    framing = ZTF().framing
    for message in made(templates, 3):
        assert framing.body(message, framing.header(message))


def test_the_same_seed_gives_the_same_messages(templates: list[Template]) -> None:
    assert made(templates, 4) == made(templates, 4)
    assert made(templates, 4) != made(templates, 4, seed=2)


def test_messages_are_made_one_by_one(templates: list[Template]) -> None:
    endless = messages(templates, NIGHT, JD_OF_1970, 10**6)
    assert len(list(islice(endless, 2))) == 2


@given(st.integers(0, 2**40))
def test_a_number_is_written_as_the_survey_reads_it(number: int) -> None:
    assert container.varint(io.BytesIO(_varint(number))) == number
