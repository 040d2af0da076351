from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.kafka.transactions import Outgoing
from fink_dagster.stages import distribution
from fink_dagster.stages.distribution import parts


def message(number: int, size: int) -> Outgoing:
    return Outgoing("f", "t", number, b"key", b"x" * size)


@given(st.lists(st.integers(0, 40), max_size=30))
def test_parts_are_the_messages_in_their_order_and_none_is_larger_than_it_may_be_by_more_than_one(
    sizes: list[int],
) -> None:
    sent = [message(number, size) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "PART_BYTES", 50)
        found = list(parts(iter(sent)))
    assert list(chain.from_iterable(found)) == sent
    assert all(found)
    assert all(sum(len(each.value) for each in part[:-1]) < 50 for part in found)


def test_messages_are_taken_as_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "PART_BYTES", 10)
    taken: list[int] = []
    endless = (taken.append(number) or message(number, 5) for number in iter(int, 1))  # type: ignore[func-returns-value]
    next(parts(endless))
    assert len(taken) == 2
