"""How fast science modules are, on one core and without Spark: each alone, and each among the others.

Alerts are the real packets themselves. A module that looks at chosen alerts only is measured alone on all of them, so
that its row says what one such alert costs.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd

from fink_dagster.enrich.plan import plan_of
from fink_dagster.science.crossmatch import with_catalogues
from fink_dagster.science.frame import batch_of, frame_of
from fink_dagster.science.run import run_modules
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fink_dagster.science.module import Module
    from fink_dagster.settings import Settings


class Rates(TypedDict):
    """Alerts a second and core, medians of the rounds; None for a module that was asked for none."""

    alone: float | None
    together: float | None


def science(alerts: Sequence[dict[str, Any]], settings: Settings, rounds: int) -> tuple[list[float], dict[str, Any]]:
    """Measure all modules together, and every one of them.

    Parameters
    ----------
    alerts : sequence of dict
        Decoded alerts.
    settings : Settings
        Where catalogues are.
    rounds : int
        After a warm-up.

    Returns
    -------
    rates : list of float
        Alerts a second and core through all modules, one a round.
    about : dict
        What else the report says of it: median length of the histories, and :class:`Rates` by module.
    """
    plan = plan_of(ZTF())
    modules = with_catalogues(plan.modules, settings.catalogue_folder, settings.catalogue_indexes)
    frame = frame_of(batch_of(alerts, plan.alert), plan.alert, plan.paths)
    given = pd.concat([frame, run_modules(frame, modules).columns], axis=1)
    together = [run_modules(frame, modules).seconds for _ in range(rounds)]
    rows = {
        module.name: Rates(
            alone=_rate(len(alerts), [_alone(module, given) for _ in range(rounds)]),
            together=_rate(len(alerts), [seconds[module.name] for seconds in together]),
        )
        for module in modules
    }
    points = [len(alert["prv_candidates"] or ()) for alert in alerts]
    rates = [len(alerts) / sum(seconds.values()) for seconds in together]
    return rates, {"history_median": float(np.median(points)), "modules": rows}


def _alone(module: Module, given: pd.DataFrame) -> float:
    """Return how long a module takes for all alerts, with what other modules give it at hand [s]."""
    frame = given.drop(columns=[out.name for out in module.outputs])
    if module.where:
        frame[module.where] = True
    return run_modules(frame, [module]).seconds[module.name]


def _rate(number: int, seconds: Sequence[float]) -> float | None:
    taken = median(seconds)
    return round(number / taken, 1) if taken else None
