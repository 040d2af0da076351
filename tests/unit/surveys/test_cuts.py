from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Cut
from fink_dagster.surveys.cuts import passes, rejection

CUTS = get_survey("ztf").cuts


def _alerts(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({f"candidate.{name}": values for name, values in columns.items()})


def test_the_first_failing_cut_in_the_surveys_order_gives_the_reason() -> None:
    alerts = _alerts(nbad=[0, 1, 0, 0, 1], rb=[0.9, 0.1, 0.1, 0.9, 0.9], fid=[1, 3, 3, 3, 2])
    assert rejection(alerts, CUTS).tolist() == [None, "nbad", "rb", "fid", "nbad"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, np.nan]),
        pd.Series([1.0, None], dtype=object),
        pd.Series([1, None], dtype="Int32"),
        pd.Series([1.0, None], dtype="Float64"),
    ],
    ids=["nan", "none", "nullable integer", "nullable float"],
)
@pytest.mark.parametrize("cut", [Cut("a", "x", "==", 1), Cut("a", "x", "!=", 3), Cut("a", "x", ">=", 0.5)])
def test_what_is_not_there_fails_every_cut(column: pd.Series, cut: Cut) -> None:
    assert passes(column, cut).tolist() == [True, False]


def test_a_score_in_single_precision_is_compared_in_double() -> None:
    below, above = np.nextafter(np.float32(0.3), np.float32(0)), np.nextafter(np.float32(0.7), np.float32(1))
    scores = np.array([below, 0.3, 0.7, above], dtype=np.float32)
    for limit in (0.3, 0.7):
        expected = [float(score) >= limit for score in scores]
        assert passes(pd.Series(scores), Cut("rb", "x", ">=", limit)).tolist() == expected


def test_reasons_stand_at_the_alerts_index() -> None:
    alerts = _alerts(nbad=[0, 2], rb=[0.9, 0.9], fid=[1, 1]).set_axis([7, 3])
    assert rejection(alerts, CUTS).to_dict() == {7: None, 3: "nbad"}


def test_without_cuts_or_alerts_nothing_is_rejected() -> None:
    alerts = _alerts(nbad=[5], rb=[0.0], fid=[3])
    assert rejection(alerts, ()).tolist() == [None]
    assert rejection(alerts[:0], CUTS).tolist() == []
