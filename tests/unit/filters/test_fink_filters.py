"""How filters of fink-filters find their columns, and what is said where the package is not."""

from __future__ import annotations

import sys
import types
from typing import Any

import pandas as pd
import pytest
from pyspark.sql.functions import pandas_udf
from pyspark.sql.types import BooleanType

from fink_dagster.filters.apply import judge
from fink_dagster.filters.filter import WORKER
from fink_dagster.filters.fink_filters import Livestream, adapted, argument
from fink_dagster.filters.fink_filters_ztf import FILTERS
from fink_dagster.science import fink_science
from fink_dagster.science.arguments import Field, WithHistory
from fink_dagster.surveys.avro import by_place
from fink_dagster.surveys.ztf import ZTF

SCHEMA = by_place(ZTF().alert_schema)
NAME = "fink_filters.ztf.livestream.filter_red.filter"


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("objectId", Field("objectId")),
        ("candid", Field("candid")),
        ("ra", Field("candidate.ra")),
        ("jd", Field("candidate.jd")),
        ("roid", Field("roid")),
        ("snn_sn_vs_all", Field("snn_sn_vs_all")),
        ("cjdc", WithHistory("jd")),
        ("cisdiffposc", WithHistory("isdiffpos")),
        ("cstampDatac", Field("cutoutScience.stampData")),
        ("linear_fit_slope", Field("lc_features_r.linear_fit_slope")),
    ],
)
def test_the_name_of_an_argument_is_that_of_a_column_of_the_flattened_alert(name: str, column: Any) -> None:
    assert argument(name, SCHEMA) == column


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A package that is called like the real one, with one filter."""

    @pandas_udf(BooleanType())
    def red(fid: pd.Series, cmagpsfc: pd.Series) -> pd.Series:
        return (fid == 2) & cmagpsfc.apply(lambda points: len(points) > 1)

    names = NAME.split(".")
    for place in range(1, len(names) + 1):
        monkeypatch.setitem(sys.modules, ".".join(names[:place]), types.ModuleType(".".join(names[:place])))
    sys.modules["fink_filters"].__version__ = "7.45"  # type: ignore[attr-defined]
    found = sys.modules[NAME]
    found.red = red  # type: ignore[attr-defined]
    fink_science.udf_of.cache_clear()
    return found


def _declared(version: str = "7.45", names: tuple[str, ...] = ("fid", "cmagpsfc")) -> Any:
    from dataclasses import replace

    made = adapted("red", version=version, schema=SCHEMA, names=names, description="Red and seen before")
    return replace(made, process=WORKER)


FRAME = pd.DataFrame(
    {
        "candidate.fid": [2, 1, 2],
        "candidate.magpsf": [17.0, 17.0, 17.0],
        "prv_candidates.magpsf": pd.Series([[18.0], [18.0], None], dtype=object),
    }
)


def test_a_filter_is_called_with_columns_as_spark_would_hand_them_over(installed: types.ModuleType) -> None:
    item = _declared()
    assert item.name == "ff_red"
    assert item.topic("ztf") == "fink_ff_red_ztf"
    assert item.inputs == ("candidate.fid", "prv_candidates.magpsf", "candidate.magpsf")
    verdicts = judge(FRAME, [item])
    assert (verdicts.passed, verdicts.failed) == ([["ff_red"], [], []], [{}, {}, {}])


def test_another_release_or_another_signature_is_refused(installed: types.ModuleType) -> None:
    (said, *_) = judge(FRAME, [_declared("7.46")]).failed
    assert said["ff_red"].startswith("fink_filters must be 7.46, as declared; got 7.45")
    fink_science.udf_of.cache_clear()
    (said, *_) = judge(FRAME, [_declared(names=("cmagpsfc", "fid"))]).failed
    assert said["ff_red"].endswith("must take cmagpsfc, fid; got fid, cmagpsfc; declare it so")


def test_where_the_package_is_not_installed_each_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fink_filters", None)
    fink_science.udf_of.cache_clear()
    (item,) = [item for item in FILTERS if item.name == "ff_blazar"]
    assert isinstance(item.predicate, Livestream)
    with pytest.raises(Exception, match="pip install fink-filters where modules run"):
        item.predicate(pd.Series(["Blazar"]))
