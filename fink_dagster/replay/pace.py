"""When each packet of a replay is due: at once, so many a second, or as far apart as the alerts once were.

Arithmetic only; the waiting is done in ``replay``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from fink_dagster.errors import UserError

if TYPE_CHECKING:
    from fink_dagster.replay.packet import Moment

_DAY_SECONDS = 86400.0


class Pace(Protocol):
    """Says when a packet is due."""

    needs_moments: bool
    """Whether it asks for the packets' own times."""

    def due(self, sent: int, moment: Moment | None) -> float:
        """Return how long after the first packet one is due [s]; the past means at once.

        Parameters
        ----------
        sent : int
            How many were sent before it.
        moment : Moment or None
            Its own time; None where it tells none, or where the pace does not ask.
        """
        ...


def pace_of(rate: float | None, *, original_speed: bool) -> Pace:
    """Return the pace a user asks for.

    Parameters
    ----------
    rate : float or None
        Packets a second; None: no limit.
    original_speed : bool
        Whether packets follow each other as their own times do.

    Raises
    ------
    UserError
        When both are asked, or the rate is not a positive number.
    """
    if original_speed and rate is not None:
        message = "replay: must have one speed; got a rate and the original speed; leave one out"
        raise UserError(message)
    if original_speed:
        return _Original()
    if rate is None:
        return _Steady(math.inf)
    if not 0 < rate < math.inf:
        message = f"replay: rate must be a number of packets a second above 0; got {rate}; for example --rate 100"
        raise UserError(message)
    return _Steady(rate)


class _Steady:
    needs_moments = False

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def due(self, sent: int, _moment: Moment | None) -> float:
        return sent / self._rate


class _Original:
    """Packets of an archive are not in the order of their times: one that comes late leaves with the one before it."""

    needs_moments = True

    def __init__(self) -> None:
        self._first: float | None = None

    def due(self, _sent: int, moment: Moment | None) -> float:
        if moment is None:
            return 0.0
        if self._first is None:
            self._first = moment.time
        return (moment.time - self._first) * _DAY_SECONDS
