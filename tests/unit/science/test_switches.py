from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fink_dagster.science.failure import SWITCHED_OFF
from fink_dagster.science.module import Module, Output
from fink_dagster.science.run import run_modules
from fink_dagster.science.switches import (
    BATCHES_ALLOWED,
    FIRST_PAUSE_SECONDS,
    LEAST_ALERTS,
    LONGEST_PAUSE_SECONDS,
    Switches,
    Tally,
    tallies_of,
)
from tests.unit.science.test_run import FRAME, _module, _raise, _unavailable

FAILED, GOOD, NOT_ASKED = Tally(500, 500, text="KeyError: 'no such band'"), Tally(500, 499, text="one did"), Tally()


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _told(switches: Switches, *tallies: Tally) -> list[bool]:
    """Return after each batch whether the module is off."""
    off = []
    for tally in tallies:
        switches.learn({"m": tally})
        off.append("m" in switches.off())
    return off


def test_a_module_that_fails_batch_after_batch_is_switched_off_with_the_reason() -> None:
    switches = Switches(_Clock())
    assert _told(switches, *[FAILED] * BATCHES_ALLOWED) == [False] * (BATCHES_ALLOWED - 1) + [True]
    said = switches.off()["m"]
    assert said.startswith(f"switched off, as it failed in {BATCHES_ALLOWED} batches in a row; asked again at ")
    assert said.endswith(" UTC; KeyError: 'no such band'")


@pytest.mark.parametrize("good", [GOOD, Tally(500, 0)])
def test_a_value_between_failures_keeps_it_on_and_a_batch_without_a_question_says_nothing(good: Tally) -> None:
    switches = Switches(_Clock())
    assert not any(_told(switches, *[FAILED] * (BATCHES_ALLOWED - 1), good, *[FAILED] * (BATCHES_ALLOWED - 1)))
    assert _told(switches, NOT_ASKED, NOT_ASKED, FAILED) == [False, False, True]


def test_three_unlucky_alerts_are_no_reason() -> None:
    one = Tally(1, 1, text="no")
    assert not any(_told(Switches(_Clock()), *[one] * (LEAST_ALERTS - 1)))
    assert _told(Switches(_Clock()), *[one] * LEAST_ALERTS)[-1]


def test_on_a_file_only_what_must_be_stopped_is_switched_off_and_for_good() -> None:
    clock = _Clock()
    switches = Switches(clock, for_good=True)
    assert not any(_told(switches, *[FAILED] * 9))
    assert _told(switches, GOOD, *[Tally(500, 500, late=True, text="slow")] * BATCHES_ALLOWED)[-1]
    clock.now += 1e9
    assert switches.off()["m"].endswith("; not asked again for this file; slow")


def test_one_that_must_be_stopped_counts_as_failed_whatever_it_gave_for_other_alerts() -> None:
    assert _told(Switches(_Clock()), *[Tally(1000, 500, late=True)] * BATCHES_ALLOWED)[-1]


def test_it_is_asked_again_after_a_pause_that_doubles_and_stays_on_when_it_gives_something() -> None:
    clock = _Clock()
    switches = Switches(clock)
    _told(switches, *[FAILED] * BATCHES_ALLOWED)
    pauses = []
    for _ in range(8):
        began = clock.now
        while "m" in switches.off():
            clock.now += 1
        pauses.append(clock.now - began)
        assert _told(switches, FAILED) == [True]
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    clock.now += LONGEST_PAUSE_SECONDS
    assert _told(switches, GOOD, FAILED, FAILED) == [False, False, False]


def test_a_module_that_is_off_is_not_asked_and_its_cells_say_so() -> None:
    def never(*_: object) -> None:
        raise AssertionError

    after = _module("after", lambda m: m, needs=("m",))
    ran = run_modules(FRAME, [_module("m", never), after], off={"m": "switched off, as it failed"})
    assert ran.status.tolist() == [{"m": SWITCHED_OFF, "after": "no_input"}] * 3
    assert ran.columns["m"].isna().all()
    assert ran.failures["m"].text == "switched off, as it failed"
    assert tallies_of(ran)["m"] == Tally(0, 0, text="switched off, as it failed")


def test_a_tally_counts_what_does_not_work_and_not_what_is_absent() -> None:
    one_bad = Module("one", "1", ("x",), (Output("one", "double", "", "."),), lambda x: 1 / (x - 1))
    modules = [_module("bad", _raise), _module("absent", _unavailable), one_bad, _module("good", lambda x: x)]
    tallies = tallies_of(run_modules(FRAME, modules))
    assert tallies == {
        "bad": Tally(3, 3, text="KeyError: 'no such band'"),
        "absent": Tally(3, 0),
        "one": Tally(3, 1, text="gave NaN for 1 alerts"),
        "good": Tally(3, 0),
    }


TALLIES = st.builds(Tally, st.integers(0, 9), st.integers(0, 9), st.booleans(), st.sampled_from(["", "a", "b"]))


@given(TALLIES, TALLIES, TALLIES)
def test_parts_add_up_in_whatever_way_they_are_put_together(one: Tally, two: Tally, three: Tally) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + Tally() == Tally() + one == one
