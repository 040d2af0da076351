from __future__ import annotations

from fink_dagster.science.failure import failure_of


def test_half_a_surrogate_pair_in_an_error_spoils_no_text() -> None:
    failure = failure_of(ValueError("x \udc80 y"))
    assert failure.text == "ValueError: x ? y"
    assert failure.text.encode()
