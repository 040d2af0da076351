"""How filters behaved in a night, by what was sent and where they failed."""

from __future__ import annotations

from typing import Any

import pytest

from fink_dagster.accounts.filters import Behaviour, ClosedNight, behaviour_in, last_closed_night
from fink_dagster.filters.registry import get_filter
from fink_dagster.surveys.ztf import ZTF
from tests.lake import FakeLakeReader

NIGHT = "2018-08-19"
NAMES = ("sso_fink_candidates", "sso_ztf_candidates")
ACTIVE = [get_filter(name) for name in NAMES]


def _sent(name: str, *identifiers: int, night: str = NIGHT) -> list[dict[str, Any]]:
    return [{"night": night, "filter": name, "candid": identifier} for identifier in identifiers]


def _decided(name: str, limit: float) -> dict[str, Any]:
    version = get_filter(name).version
    row = {"filter": name, "version": version, "state": "active", "share_limit": limit, "why": ""}
    return {**row, "changed_at": 1}


def test_what_was_sent_is_compared_with_the_limit_a_filter_was_activated_with() -> None:
    reader = FakeLakeReader(
        science_alerts=[{"night": NIGHT}] * 20,
        distributed=[*_sent(NAMES[0], 1, 2), *_sent(NAMES[1], 1, 2, 3), *_sent("count", *range(20))],
        filter_states=[_decided(NAMES[0], 0.05)],
    )
    wide, free = behaviour_in(reader, ZTF(), NIGHT, ACTIVE)
    assert (wide.passed, wide.alerts, wide.share, wide.share_limit, wide.is_right) == (2, 20, 0.1, 0.05, False)
    assert (free.passed, free.share_limit, free.is_right) == (3, 1.0, True)


def test_of_other_nights_nothing_is_counted() -> None:
    failed = {"filter": NAMES[0], "version": "1", "failed": 3, "error": "KeyError: 'x'", "failed_at": 1}
    reader = FakeLakeReader(
        science_alerts=[{"night": NIGHT}],
        distributed=_sent(NAMES[0], 1, night="2018-11-29"),
        filter_errors=[{**failed, "night": "2018-11-29"}],
    )
    (found,) = behaviour_in(reader, ZTF(), NIGHT, ACTIVE[:1])
    assert (found.passed, found.failed, found.is_right) == (0, 0, True)


@pytest.mark.parametrize(("passed", "failed", "is_right"), [(1, 0, True), (0, 1, False), (2, 0, False), (0, 0, True)])
def test_a_filter_is_right_that_fails_on_no_alert_and_keeps_to_its_limit(
    passed: int, failed: int, is_right: bool
) -> None:
    assert Behaviour("faint", "1", 20, passed, failed, 0.05).is_right is is_right


def test_a_night_without_alerts_is_no_fault_of_a_filter() -> None:
    assert Behaviour("faint", "1", 0, 0, 0, 0.05).is_right


def _state(night: str, state: str, science: int) -> dict[str, Any]:
    account = f'{{"science": {science}, "distributed": {{"fink_faint_ztf": 1}}}}' if state == "closed" else None
    return {"night": night, "changed_at": 1, "state": state, "run_id": "r", "offsets": "{}", "account": account}


class Reader(FakeLakeReader):
    """Nights are those with a state."""

    def table(self, name: str) -> None:
        return None


def test_the_last_night_is_the_newest_that_is_closed_and_has_alerts() -> None:
    rows = [_state("2018-08-19", "closed", 20), _state("2018-11-29", "open", 5), _state("2018-11-30", "closed", 0)]
    assert last_closed_night(Reader(nights=rows)) == ClosedNight("2018-08-19", 20, {"fink_faint_ztf": 1})
    assert last_closed_night(Reader()) is None
