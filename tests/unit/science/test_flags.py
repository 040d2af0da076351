from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science.flags import MODULE
from fink_dagster.science.run import run_modules


def _table(*alerts: tuple[float | None, float | None, str | None]) -> pd.DataFrame:
    columns = {path: [alert[i] for alert in alerts] for i, path in enumerate(MODULE.inputs)}
    ran = run_modules(pd.DataFrame({path: pd.Series(cells, dtype=object) for path, cells in columns.items()}), [MODULE])
    assert ran.failures == {}
    return ran.columns


def _one(alert: tuple[float | None, float | None, str | None], flag: str) -> bool | None:
    (cell,) = _table(alert)[flag]
    return None if cell is pd.NA else bool(cell)


@pytest.mark.parametrize(
    ("ndethist", "expected"), [(1, True), (2, False), (0, False), (None, None), (np.nan, None), (1.0, True)]
)
def test_an_object_is_first_seen_at_its_only_detection(ndethist: float | None, expected: bool | None) -> None:
    assert _one((ndethist, -999.0, "null"), "is_first") is expected


@pytest.mark.parametrize(
    ("distance", "name", "expected"),
    [
        (0.0, "1234", True),
        (np.float32(4.999), "1234", True),
        (5.0, "1234", False),
        (-999.0, "1234", False),
        (-999.0, "null", False),
        (1.0, "null", False),
        (1.0, "", False),
        (60.0, "null", False),
        (None, "null", False),
        (-999.0, None, False),
        (None, "1234", None),
        (np.nan, "1234", None),
        (1.0, None, None),
        (None, None, None),
    ],
)
def test_a_known_body_is_near_and_has_a_name(distance: float | None, name: str | None, expected: bool | None) -> None:
    assert _one((5, distance, name), "is_sso") is expected


def test_alerts_keep_their_flags_whatever_came_with_them() -> None:
    alerts = [(1, 1.0, "a"), (None, None, None), (2, -999.0, "null")]
    together = _table(*alerts)
    alone = pd.concat([_table(alert) for alert in alerts], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)


def test_no_alerts_give_no_flags() -> None:
    assert _table().dtypes.tolist() == [pd.BooleanDtype(), pd.BooleanDtype()]
