"""A science module of one's own to begin with: the text of its file and of its test, which work as they are.

``NAME`` stands for the name. What a module is, is said in ``module``.
"""

from __future__ import annotations

MODULE = '''"""``NAME``: how much brighter an alert is than its object was, in the median, before.

Say here what the value is and where its rule comes from; then change the function, the inputs and the outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fink_dagster.science.columns import arrays, numbers
from fink_dagster.science.module import Module, Output

if TYPE_CHECKING:
    import pandas as pd


def NAME(magnitude: pd.Series, history: pd.Series) -> np.ndarray:
    """Return by how many magnitudes each alert is brighter than the median of its history.

    There is one Series per input, in the order of ``inputs``, and one value in each per alert. A path through an array
    of records gives an array per alert, or None; the alert itself is not in it. ``numbers`` and ``arrays`` give NaN
    for what is missing.
    """
    earlier = [points[np.isfinite(points)] for points in arrays(history)]
    before = np.array([np.median(points) if len(points) else np.nan for points in earlier], dtype=np.float64)
    difference = before - numbers(magnitude)
    # A value that is not defined is null: a NaN in a column is taken for a fault.
    return np.where(np.isnan(difference), None, difference)


MODULE = Module(
    name="NAME",
    version="1",
    inputs=("candidate.magpsf", "prv_candidates.magpsf"),
    outputs=(Output("NAME", "double", "mag", "Median magnitude of the history minus that of the alert"),),
    function=NAME,
    owner="you",
)
'''

TEST = '''"""What ``NAME`` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fink_dagster.science.own import modules_in
from fink_dagster.science.run import run_modules


def test_an_alert_is_compared_with_the_median_of_what_was_measured_before() -> None:
    history = [np.array([18.0, 19.0, 21.0, np.nan]), np.array([]), None, np.array([18.0])]
    alerts = pd.DataFrame({"candidate.magpsf": [17.0, 17.0, 17.0, np.nan]})
    alerts["prv_candidates.magpsf"] = pd.Series(history, dtype=object)

    ran = run_modules(alerts, modules_in(Path(__file__).with_name("NAME.py")))

    assert ran.failures == {}
    assert ran.columns["NAME"].tolist() == [2.0, pd.NA, pd.NA, pd.NA]
'''


def module_text(name: str) -> str:
    """Return the text of a module's file."""
    return MODULE.replace("NAME", name)


def test_text(name: str) -> str:
    """Return the text of its test's file."""
    return TEST.replace("NAME", name)
