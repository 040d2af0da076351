"""Why a module gave nothing: a code for the alert, and a sentence for whoever looks after the module.

What becomes of the other modules and of the next batch is ``run``'s and ``switches``'.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fink_dagster.science.module import NO_CATALOGUE, Unavailable

TEXT_CHARACTERS = 300
_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
RAISED, WRONG_SHAPE, WRONG_TYPE, NOT_A_NUMBER = "raised", "wrong_shape", "wrong_type", "nan"
TIMEOUT, CRASHED, OUT_OF_MEMORY = "timeout", "crashed", "out_of_memory"
NO_INPUT, SWITCHED_OFF = "no_input", "switched_off"
_BROKEN = frozenset([RAISED, WRONG_SHAPE, WRONG_TYPE, NOT_A_NUMBER, TIMEOUT, CRASHED, OUT_OF_MEMORY])


@dataclass(frozen=True)
class Failure:
    """A code, which stands in ``science_status``, and a sentence, which does not."""

    code: str
    text: str

    @property
    def is_fault(self) -> bool:
        """Whether somebody should look at it: not where a catalogue was never there, or another module is at fault."""
        return self.code not in {NO_CATALOGUE, NO_INPUT}


def is_broken(code: str) -> bool:
    """Tell whether a code says that a module does not work; one that says itself what it lacks does."""
    return code in _BROKEN


def failure_of(error: BaseException) -> Failure:
    """Return what is said of a module that raised an error."""
    if isinstance(error, Unavailable) and _is_code(error.code):
        return Failure(error.code, _printable(str(error)))
    code = OUT_OF_MEMORY if isinstance(error, MemoryError) else RAISED
    return Failure(code, _printable(f"{type(error).__name__}: {error}"))


def _printable(text: str) -> str:
    """Return a text that every column and log takes: half a surrogate pair would spoil what stands beside it."""
    return text[:TEXT_CHARACTERS].encode("utf-8", "replace").decode()


def _is_code(code: object) -> bool:
    """Tell whether a code can stand in a table; a null beside none would be one without a reason."""
    return isinstance(code, str) and bool(_CODE.fullmatch(code))
