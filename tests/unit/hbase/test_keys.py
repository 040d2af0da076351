from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.hbase.keys import Part, row_key, row_prefix

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text("ab_.1schema", max_size=12)
ALERTS = st.tuples(
    NAMES | st.text(min_size=150, max_size=400),
    st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([2458451.75, 1.0, 0.5]),
    st.integers(-(2**63), 2**63 - 1) | st.integers(0, 12),
)


TEXTS = NAMES | st.sampled_from(["EB*", "Solar System MPC", "Candidate_SN*", "a_1.0", "_", "%5F", "2004 AB12"])
PARTS = st.tuples(TEXTS, st.floats(allow_nan=False, allow_infinity=False), TEXTS, st.integers(0, 2**63 - 1))


@given(ALERTS, ALERTS)
def test_keys_of_distinct_alerts_are_distinct(one: tuple[str, float, int], other: tuple[str, float, int]) -> None:
    same = [repr(part) for part in one] == [repr(part) for part in other]
    assert (row_key(*one) == row_key(*other)) == same


@given(ALERTS)
def test_no_alert_has_the_key_of_a_schema_row_or_one_too_long(alert: tuple[str, float, int]) -> None:
    key = row_key(*alert)
    assert not key.startswith(b"schema")
    assert 0 < len(key) < 300


@given(ALERTS)
def test_the_parts_of_a_key_can_be_told_apart_from_the_right(alert: tuple[str, float, int]) -> None:
    _, time, identifier = row_key(*alert).rsplit(b"_", 2)
    assert (float(time), int(identifier)) == alert[1:]


def test_a_key_begins_as_upstreams_so_that_prefix_scans_work() -> None:
    assert row_key("ZTF18abyouwp", 2458451.7519213, 697251920015010010) == (
        b"ZTF18abyouwp_2458451.7519213_697251920015010010"
    )


@given(PARTS, PARTS)
def test_keys_of_distinct_parts_are_distinct_wherever_texts_stand(
    one: tuple[Part, ...], other: tuple[Part, ...]
) -> None:
    same = [repr(part) for part in one] == [repr(part) for part in other]
    assert (row_key(*one) == row_key(*other)) == same


@given(PARTS)
def test_a_key_begins_with_the_prefix_of_its_first_parts(parts: tuple[Part, ...]) -> None:
    assert all(row_key(*parts).startswith(row_prefix(*parts[:number])) for number in range(1, len(parts)))


def test_classes_and_names_stand_in_keys_as_upstream_writes_them() -> None:
    assert row_key("Solar System MPC", 2458451.75, "ZTF18a", 1) == b"Solar System MPC_2458451.75_ZTF18a_1"
    assert row_prefix("Candidate_SN*") == b"Candidate_SN*_"
    assert row_key(65536, 2458451.75, "ZTF18a") == b"65536_2458451.75_ZTF18a"
