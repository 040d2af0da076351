from __future__ import annotations

import datetime as dt

from fink_dagster.lake.nights import state_of
from tests.lake import FakeLakeReader


def _row(minute: int, state: str) -> dict[str, object]:
    when = dt.datetime(2020, 1, 1, 0, minute, tzinfo=dt.UTC)
    return {"night": "n", "changed_at": when, "state": state, "run_id": "r", "offsets": None, "account": None}


def test_the_newest_change_is_the_state_of_a_night() -> None:
    reader = FakeLakeReader(nights=[_row(1, "open"), _row(3, "closed"), _row(2, "open")])
    state = state_of(reader, "n")  # type: ignore[arg-type]
    assert state is not None
    assert (state.state, state.offsets, state.account) == ("closed", {}, None)


def test_a_night_that_never_began_has_no_state() -> None:
    assert state_of(FakeLakeReader(nights=[_row(1, "open")]), "another") is None  # type: ignore[arg-type]
    assert state_of(FakeLakeReader(), "n") is None  # type: ignore[arg-type]
