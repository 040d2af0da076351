from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.accounts.nights import _gaps


@given(st.integers(0, 20), st.integers(0, 40), st.sets(st.integers(0, 60)))
def test_gaps_and_known_offsets_together_are_the_range_once(first: int, size: int, offsets: set[int]) -> None:
    end = first + size
    known = sorted(offset for offset in offsets if first <= offset < end)
    gaps = _gaps(known, first, end)
    inside = [offset for start, stop in gaps for offset in range(start, stop)]
    assert sorted(inside + known) == list(range(first, end))
    assert all(start < stop for start, stop in gaps)
