from __future__ import annotations

import copy
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from fink_dagster.accounts import account as module
from fink_dagster.accounts.account import Account, account_of
from fink_dagster.hbase.keys import row_key
from fink_dagster.settings import Settings
from fink_dagster.stages.distribution import COUNT, count_topic, filters_for
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF
from tests.lake import FakeLakeReader
from tests.toy import Toy

if TYPE_CHECKING:
    from fink_dagster.lake.nights import Offsets
    from fink_dagster.surveys.base import Survey

NIGHT = Night("2020-01-01")
OTHER = "2019-12-31"
KINDS = ("science", "rejected", "duplicates", "quarantine", "other_night", "from_other_topic")
FILTERS = filters_for(ZTF())


class Books:
    """A made-up night, one message after the other, with everything that follows from each."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.topic = survey.topics(NIGHT)[0]
        names = ("raw_alerts", "quarantine", "science_alerts", "rejected", "duplicates", "distributed", "archived")
        self.tables: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        self.held: Offsets = {self.topic: {str(part): {"first": 0, "end": 0, "messages": 0} for part in range(2)}}
        self._number = 0

    def add(self, kind: str, gap: int = 0, sent_to: int = 0) -> Books:
        """Add a message of a kind, some offsets after the one before, its alert passed by some filters."""
        self._number += 1
        row = self._alert() | self._coordinate(kind, gap)
        if kind == "quarantine":
            self.tables["quarantine"].append(row | {"code": "truncated"})
            return self
        return self.take(row, kind, sent_to)

    def take(self, row: dict[str, Any], kind: str, sent_to: int = 0) -> Books:
        """Let a message become an alert, also one that was quarantined before."""
        self.tables["raw_alerts"].append(row | {"night": OTHER if kind == "other_night" else NIGHT.key})
        if kind in ("rejected", "duplicates"):
            self.tables[kind].append(row | {"reason": "rb"})
        elif kind != "other_night":
            self.tables["science_alerts"].append(row)
            self._sent(row, sent_to)
        return self

    def account(self, *, drained: bool = True) -> Account | None:
        """Return what the books say, when the night is about to be closed or at any other time."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "LakeReader", lambda *_: FakeLakeReader(**self.tables))
            return account_of(Settings(), self.survey, NIGHT, self.held if drained else None)

    def made(self, *, drained: bool = True) -> Account:
        """Return an account there must be."""
        found = self.account(drained=drained)
        assert found is not None
        return found

    def _coordinate(self, kind: str, gap: int) -> dict[str, Any]:
        part = self._number % 2
        if kind == "from_other_topic":
            return {"topic": "of another night", "partition": part, "offset": self._number}
        ends = self.held[self.topic][str(part)]
        offset = ends["end"] + gap
        ends |= {"end": offset + 1, "messages": ends["messages"] + 1}
        return {"topic": self.topic, "partition": part, "offset": offset}

    def _alert(self) -> dict[str, Any]:
        survey, number = self.survey, self._number
        time: Any = survey.night_rule.zero + NIGHT.day + 0.5
        head, *rest = survey.night_rule.field.split(".")
        for name in reversed(rest):
            time = {name: time}
        who = {survey.identifier: 10**18 + number, survey.object_identifier: f"object{number % 3}"}
        return {"night": NIGHT.key, head: time, **who}

    def _sent(self, row: dict[str, Any], sent_to: int) -> None:
        survey, identifier = self.survey, row[self.survey.identifier]
        counted = count_topic(survey.name, NIGHT.compact)
        topics = [(COUNT, counted), *((item.name, item.topic(survey.name)) for item in FILTERS[:sent_to])]
        for name, topic in topics:
            self.tables["distributed"].append(
                {"night": NIGHT.key, "filter": name, "topic": topic, survey.identifier: identifier}
            )
        time = survey.night_rule.zero + NIGHT.day + 0.5
        key = row_key(row[survey.object_identifier], time, identifier)
        others = [(f"{survey.name}.class", b"Unknown_" + key)] if survey.archive_tables else None
        row = {"night": NIGHT.key, "table": survey.name, "row_key": key, "index_keys": others}
        self.tables["archived"].append(row)


@st.composite
def nights(draw: st.DrawFn) -> Books:
    books = Books(draw(st.sampled_from([ZTF(), Toy()])))
    message = st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, len(FILTERS)))
    for kind, gap, sent_to in draw(st.lists(message, min_size=1, max_size=8)):
        books.add(kind, gap, sent_to)
    return books


@pytest.fixture
def books() -> Books:
    """A night with two of each kind."""
    made = Books(ZTF())
    for kind in KINDS * 2:
        made.add(kind, sent_to=1)
    return made


PROPERTY = how(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PROPERTY
@given(nights())
def test_a_consistent_night_closes_and_every_message_is_somewhere(books: Books) -> None:
    found = books.made()
    assert (found.closes, found.why_open) == (True, [])
    here = found.raw - sum(found.from_other_topics.values())
    assert found.received == here + sum(found.other_nights.values()) + sum(found.quarantined.values())
    assert found.raw == found.science + sum(found.rejected.values()) + found.duplicates
    assert found.science == found.archived[books.survey.name]


@PROPERTY
@given(nights())
def test_a_night_that_lacks_any_one_row_does_not_close(books: Books) -> None:
    for name, rows in books.tables.items():
        for place, row in enumerate(rows):
            if name == "distributed" and row["filter"] != COUNT:
                continue  # which alerts pass a filter is not stored, so nothing tells that one is missing
            lacking = copy.copy(books)
            lacking.tables = {**books.tables, name: rows[:place] + rows[place + 1 :]}
            found = lacking.account()
            assert found is None or (found.why_open and not found.closes), (name, row)


@PROPERTY
@given(nights())
def test_a_night_that_has_any_one_row_twice_does_not_close(books: Books) -> None:
    for name, rows in books.tables.items():
        for row in rows if name != "archived" else ():  # a row put twice is one row
            doubled = copy.copy(books)
            doubled.tables = {**books.tables, name: [*rows, row]}
            assert not doubled.made().closes, (name, row)


REDRIVEN = st.sampled_from([kind for kind in KINDS if kind not in ("quarantine", "from_other_topic")])


@PROPERTY
@given(nights(), st.data())
def test_a_night_closes_whatever_becomes_of_its_quarantined_messages(books: Books, data: st.DataObject) -> None:
    before = books.made()
    for row in list(books.tables["quarantine"]):
        if data.draw(st.booleans()):
            books.take(row, data.draw(REDRIVEN))
    found = books.made()
    assert (found.closes, found.received) == (True, before.received)
    redriven = sum(before.quarantined.values()) - sum(found.quarantined.values())
    assert redriven == found.raw - before.raw + sum(found.other_nights.values()) - sum(before.other_nights.values())


@PROPERTY
@given(nights())
def test_what_quarantine_remembers_of_an_alert_is_in_no_account(books: Books) -> None:
    before = books.made()
    books.tables["quarantine"] += [row | {"night": OTHER, "code": "avro"} for row in books.tables["raw_alerts"]]
    assert books.made() == before


@PROPERTY
@given(nights())
def test_a_message_that_became_an_alert_twice_does_not_close(books: Books) -> None:
    for row in list(books.tables["quarantine"]):
        books.take(row, "rejected").take(row, "other_night")
        assert not books.made().closes


def test_the_numbers_are_those_of_the_night(books: Books) -> None:
    found = books.made()
    assert (found.received, found.raw, found.science, found.duplicates) == (10, 8, 4, 2)
    assert (found.quarantined, found.rejected) == ({"truncated": 2}, {"rb": 2})
    assert (found.other_nights, found.from_other_topics) == ({OTHER: 2}, {"of another night": 2})
    assert found.distributed["fink_ztf_20200101"] == 4
    assert sorted(found.distributed.values()) == [0] * (len(FILTERS) - 1) + [4, 4]
    assert (found.archived["ztf"], found.archived["ztf.class"], found.archived["ztf.tns"]) == (4, 4, 0)
    assert found.offsets == {"ztf_20200101_programid1": {"0": {"first": 0, "last": 3}, "1": {"first": 0, "last": 5}}}


def test_a_partition_without_messages_has_no_first_offset() -> None:
    found = Books(ZTF()).add("science").made()
    assert found.offsets["ztf_20200101_programid1"]["0"] == {"first": None, "last": None}


def test_a_quarantined_message_that_was_redriven_is_counted_once(books: Books) -> None:
    redriven = books.tables["raw_alerts"][0]
    books.tables["quarantine"].append({**redriven, "night": NIGHT.key, "code": "avro"})
    found = books.made()
    assert found.closes
    assert "avro" not in found.quarantined


def _lacking(books: Books, table: str) -> str:
    books.tables[table].pop()
    (why, *_) = books.made().why_open
    return why


def test_a_missing_message_is_named_with_both_numbers(books: Books) -> None:
    assert _lacking(books, "quarantine") == "stream2raw: 10 messages received, 9 in raw or quarantine"


def test_a_message_stored_twice_is_said_so(books: Books) -> None:
    books.tables["quarantine"].append(books.tables["quarantine"][0])
    assert "stream2raw: 1 messages are stored more than once" in books.made().why_open


def test_an_alert_that_is_nowhere_after_raw_is_said_so(books: Books) -> None:
    assert _lacking(books, "rejected").startswith("raw2science: 8 alerts in, 7 out")


def test_an_alert_that_was_not_distributed_is_said_so(books: Books) -> None:
    books.tables["distributed"] = [row for row in books.tables["distributed"] if row["filter"] != COUNT]
    assert books.made().why_open == ["distribution: 4 alerts in, 0 in the count topic"]


def test_an_alert_sent_twice_to_a_filter_s_topic_is_said_so(books: Books) -> None:
    books.tables["distributed"].append(next(row for row in books.tables["distributed"] if row["filter"] != COUNT))
    assert books.made().why_open == ["distribution: 1 alerts were sent twice to a topic"]


def test_an_alert_that_hbase_has_not_acknowledged_is_said_so(books: Books) -> None:
    assert _lacking(books, "archived").startswith("archive: ")


def test_a_message_beyond_the_end_of_its_topic_is_said_so(books: Books) -> None:
    books.tables["raw_alerts"][0]["offset"] = 99
    assert any("outside the topic's offsets" in why for why in books.made().why_open)


def test_an_account_before_the_night_is_drained_is_open_and_counts_what_is_stored(books: Books) -> None:
    found = books.made(drained=False)
    assert (found.closes, found.received, found.state) == (False, 10, "unknown")


def test_a_closed_night_is_measured_by_what_its_topics_held(books: Books) -> None:
    state = {"state": "closed", "changed_at": dt.datetime(2020, 1, 2, tzinfo=dt.UTC), "run_id": "r", "account": None}
    books.tables["nights"] = [{"night": NIGHT.key, **state, "offsets": json.dumps(books.held)}]
    found = books.made(drained=False)
    assert (found.closes, found.state) == (True, "closed")


def test_a_night_of_which_nothing_is_stored_has_no_account() -> None:
    assert Books(ZTF()).account() is None


def test_the_books_say_nothing_of_what_became_of_the_night(books: Books) -> None:
    found = books.made()
    assert set(found.as_dict()) - set(found.as_books()) == {"state", "why_open"}
    assert json.loads(json.dumps(found.as_books())) == found.as_books()
