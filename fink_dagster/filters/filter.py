"""What a filter is: a name that makes a topic, the columns it looks at, and a predicate.

The declaration only; which filters exist is said in ``registry``, how they are evaluated in ``apply``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError
from fink_dagster.science.module import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd

COUNT = "count"
"""What the sending of every alert to the count topic is called where filters are; not the name of one."""

WORKER, SHARED, ALONE = "worker", "shared", "alone"
"""Where a filter runs: in Spark's worker, in a process with others, in one of its own."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class Filter:
    """A filter.

    Parameters
    ----------
    name : str
        ``[a-z][a-z0-9_]{0,40}``: it becomes part of a topic's name.
    inputs : tuple of str
        Column paths of the science table, dotted into records. A path through an array of records gives one numpy
        array, or None, per alert.
    predicate : callable
        Takes one Series per input, in their order; returns one boolean per alert, as Series or array. A null does not
        pass. Pure: no network, no state, and the same alert is judged alike in any company.
    description : str
        One sentence for those who subscribe.
    owner : str
        Whom to tell when it fails.
    version : str
        Changed whenever the same alert can be judged otherwise.
    limits : Limits
        What it may take where it has a process.
    process : str
        Where it runs: ``worker``, for the platform's own; ``alone`` is set for all that others bring.

    Raises
    ------
    UserError
        When the name cannot be part of a topic's name.
    """

    name: str
    inputs: tuple[str, ...]
    predicate: Callable[..., pd.Series | np.ndarray]
    description: str
    owner: str
    version: str
    limits: Limits = field(default_factory=Limits)
    process: str = WORKER

    def __post_init__(self) -> None:
        _check(self.name, "filter")

    def topic(self, survey: str) -> str:
        """Return the topic of what passes, ``fink_<name>_<survey>``, as upstream names it.

        Raises
        ------
        UserError
            When the survey's name cannot be part of a topic's name.
        """
        return f"fink_{self.name}_{_check(survey, 'survey')}"


def _check(name: object, what: str) -> str:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        message = (
            f"{what} name: must be a lower-case letter and then at most 40 of a-z, 0-9 and _; "
            f"got {name!r:.62}; choose another"
        )
        raise UserError(message)
    return name
