"""Every error the platform raises on purpose, on one screen.

FinkError
├── UserError           asked wrongly: exit 2, one sentence, no traceback
├── OperationError      asked rightly, could not be done: exit 1, one sentence, no traceback
│   └── TransientError  a service did not answer; the same call may succeed later and is retried
└── CorruptData         bytes that cannot become an alert: quarantined, never retried

A message reads "<where>: <what must be>; got <what is>; <what to do>". It holds no secret and no row.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_SHOWN = 40  # characters of what somebody typed


class FinkError(Exception):
    """Anything this platform raises on purpose.

    Attributes
    ----------
    exit_code : int
        What a command exits with when this error ends it.
    """

    exit_code = 1


class UserError(FinkError):
    """What was asked cannot be meant: a name, a night or an option that does not exist."""

    exit_code = 2


class OperationError(FinkError):
    """What was asked is right, but it could not be done."""


class TransientError(OperationError):
    """A service did not answer; the same call may succeed later."""


class CorruptData(FinkError):
    """Bytes that cannot become an alert.

    Parameters
    ----------
    code : str
        Stable, lower-case code the quarantine is counted by, such as ``truncated`` or ``schema``.
    text : str
        What is wrong, in one sentence.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def unknown(what: str, name: str, known: Collection[str]) -> UserError:
    """Return the error of a name that does not exist, with the nearest that does, else with all.

    Parameters
    ----------
    what : str
        What is called by such names, as in ``survey``.
    name : str
        What was asked for.
    known : collection of str
        All names there are.
    """
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(sorted(known))}"
    return UserError(f"{what}: must be one the platform knows; got {name[:_SHOWN]!r}; {hint}")
