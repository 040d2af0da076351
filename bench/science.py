"""How fast science modules are, on one core and without Spark: each alone, and each among the others.

Alerts are the real packets themselves. Modules run in a process of their own, as they do on the platform, and once more
without one, which tells what that costs; counted is the processor time of both sides. A module that looks at chosen
alerts only is measured alone on all of them, so that its row says what one such alert costs.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd

from fink_dagster.enrich.plan import plan_of
from fink_dagster.science.crossmatch import with_catalogues
from fink_dagster.science.frame import batch_of, frame_of
from fink_dagster.science.isolation import processes
from fink_dagster.science.run import run_modules
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fink_dagster.science.module import Module
    from fink_dagster.science.run import Call
    from fink_dagster.settings import Settings


class Rates(TypedDict):
    """Alerts a second and core, medians of the rounds; None for a module that was asked for none."""

    alone: float | None
    together: float | None
    unisolated: float | None


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
        What else the report says of it: median length of the histories, what processes add to the processor time as a
        fraction, and :class:`Rates` by module.
    """
    plan, apart = plan_of(ZTF()), processes()
    modules = with_catalogues(plan.modules, settings.catalogue_folder, settings.catalogue_indexes)
    frame = frame_of(batch_of(alerts, plan.alert), plan.alert, plan.paths)
    given = pd.concat([frame, run_modules(frame, modules).columns], axis=1)
    run_modules(frame, modules, apart)
    together, unisolated, alone = [], [], []
    for _ in range(rounds):
        together.append(run_modules(frame, modules, apart).seconds)
        unisolated.append(run_modules(frame, modules).seconds)
        alone.append({module.name: _alone(module, given, apart) for module in modules})
    rows = {module.name: _row(module.name, len(alerts), alone, together, unisolated) for module in modules}
    points = [len(alert["prv_candidates"] or ()) for alert in alerts]
    totals, plain = ([sum(seconds.values()) for seconds in taken] for taken in (together, unisolated))
    cost = median(one / other for one, other in zip(totals, plain, strict=True)) - 1
    about = {"history_median": float(np.median(points)), "isolation_cost": round(cost, 3), "modules": rows}
    return [len(alerts) / total for total in totals], about


def _alone(module: Module, given: pd.DataFrame, call: Call) -> float:
    """Return how long a module takes for all alerts, with what other modules give it at hand [s]."""
    frame = given.drop(columns=[out.name for out in module.outputs])
    if module.where:
        frame[module.where] = True
    return run_modules(frame, [module], call).seconds[module.name]


def _row(name: str, number: int, *rounds: Sequence[Mapping[str, float]]) -> Rates:
    medians = [median(seconds[name] for seconds in taken) for taken in rounds]
    alone, together, unisolated = (round(number / taken, 1) if taken else None for taken in medians)
    return Rates(alone=alone, together=together, unisolated=unisolated)
