"""Processors of the real fink-science on real alerts, against our own modules, Spark, and independent formulas.

Where upstream's value is wrong, the test says so and asserts the right one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.science.fink_science_ztf import (
    AD_FEATURES,
    ANOMALY_DETECTION,
    ASTEROIDS,
    FAST_TRANSIENT_RATE,
    MODULES,
    NALERTHIST,
    STANDARDIZED_FLUX,
)
from fink_dagster.science.frame import alert_type, batch_of
from fink_dagster.science.lc_features import FEATURES
from fink_dagster.science.order import in_order
from fink_dagster.science.registry import get_module
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.modules import added_by_modules, tallies_in
from fink_dagster.surveys.avro import by_place
from fink_dagster.surveys.ztf import ZTF
from tests.alerts import enriched, upstreams
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession

BLAZARS, HISTORIES, OTHERS = "CTAO_blazar_datatest_v20-12-24", "20240606_iband_history", "alerts"
OURS = ("roid", "nalerthist", "fast_transient_rate", "lc_features")
DRAWN = ("mag_rate", "lower_rate", "upper_rate")

Alerts = list[dict[str, Any]]


def _file(fink_science: Path, name: str) -> Path:
    return fink_science / f"fink_science/data/alerts/{name}.parquet"


@pytest.fixture(scope="module")
def alerts(fink_science: Path) -> dict[str, Alerts]:
    """The 586 public alerts that travel with the package, without stamps, by file."""
    columns = ["candid", "objectId", "candidate", "prv_candidates"]
    names = (BLAZARS, HISTORIES, OTHERS)
    return {name: pq.read_table(_file(fink_science, name), columns=columns).to_pylist() for name in names}


@pytest.fixture(scope="module")
def added(alerts: dict[str, Alerts]) -> dict[str, pd.DataFrame]:
    """What the six processors and our modules say of them, file by file."""
    modules = in_order([*MODULES, *map(get_module, OURS)])
    return {name: enriched(some, modules) for name, some in alerts.items()}


@pytest.fixture(scope="module")
def together(added: dict[str, pd.DataFrame]) -> pd.DataFrame:
    whole = pd.concat(added.values(), ignore_index=True)
    assert len(whole) == 586
    return whole


def _numbers(records: Iterable[Any]) -> np.ndarray:
    absent = dict.fromkeys(FEATURES)
    return np.array([[(record or absent)[name] for name in FEATURES] for record in records], dtype=np.float64)


@pytest.mark.parametrize("name", ["roid", "nalerthist"])
def test_asteroid_flags_and_numbers_of_detections_are_ours(together: pd.DataFrame, name: str) -> None:
    assert together[f"fs_{name}"].tolist() == together[name].tolist()
    assert together[name].nunique() > 2


@pytest.mark.parametrize("name", ["jd_first_real_det", "jdstarthist_dt", "delta_time", "from_upper"])
def test_the_points_of_a_rate_are_ours(together: pd.DataFrame, name: str) -> None:
    pd.testing.assert_series_equal(together[f"fs_{name}"], together[name], check_names=False, check_exact=True)
    assert together[name].nunique() > 1


@pytest.mark.parametrize("file", [BLAZARS, HISTORIES])
def test_drawn_rates_are_within_an_error_of_ours(added: dict[str, pd.DataFrame], file: str) -> None:
    columns = added[file]
    assert columns["mag_rate"].count() > 100
    for name in DRAWN:
        assert columns[f"fs_{name}"].isna().tolist() == columns[name].isna().tolist()
        assert ((columns[f"fs_{name}"] - columns[name]).abs() / columns["sigma_rate"]).max() < 1
    assert (columns["fs_sigma_rate"] / columns["sigma_rate"]).max() < 1.2


def test_between_bright_points_ours_is_the_rate_and_upstreams_is_shifted_by_fainter_alerts(
    added: dict[str, pd.DataFrame],
) -> None:
    """An alert of 13.25 mag after one of 12.85 mag, in a batch that goes down to 16.7 mag."""
    row = added[OTHERS].loc[30]
    plain = (13.245115 - 12.847900) / row["delta_time"]
    assert row["mag_rate"] == pytest.approx(plain, abs=0.01 * row["sigma_rate"] + 1e-3)
    assert row["fs_mag_rate"] > plain + 10 * row["sigma_rate"]


def test_upstreams_rates_depend_on_the_batch_and_ours_do_not(
    alerts: dict[str, Alerts], added: dict[str, pd.DataFrame]
) -> None:
    some = enriched(alerts[OTHERS][20:40], [FAST_TRANSIENT_RATE, get_module("fast_transient_rate")])
    whole = added[OTHERS][20:40].reset_index(drop=True)
    assert some["mag_rate"].tolist() == whole["mag_rate"].tolist()
    assert (some["fs_mag_rate"] != whole["fs_mag_rate"]).all()
    assert some["fs_delta_time"].tolist() == whole["fs_delta_time"].tolist()


@pytest.mark.parametrize("band", ["g", "r"])
def test_features_are_ours(together: pd.DataFrame, band: str) -> None:
    theirs, ours = together[f"fs_lc_features_{band}"], together[f"lc_features_{band}"]
    assert [cell is None for cell in theirs] == [cell is None for cell in ours]
    np.testing.assert_allclose(_numbers(theirs), _numbers(ours), rtol=1e-6, equal_nan=True)
    assert ours.notna().sum() > 500


def test_features_have_upstreams_names(fink_science: Path) -> None:
    from fink_science.ztf.ad_features.processor import FEATURES_COLS

    assert tuple(FEATURES_COLS) == FEATURES


def test_standardized_flux_is_apparent_flux_over_the_median_of_the_catalogue(
    fink_science: Path, alerts: dict[str, Alerts], added: dict[str, pd.DataFrame]
) -> None:
    catalogue = pq.read_table(fink_science / "fink_science/data/catalogs/CTAO_blazars_ztf_dr22.parquet").to_pandas()
    medians = dict(zip(catalogue["ZTF Name"], catalogue["Array of Medians"], strict=True))
    expected = [_flux(alert["candidate"]) / _median(alert, medians) for alert in alerts[BLAZARS]]
    columns = added[BLAZARS]
    np.testing.assert_allclose(columns["fs_std_flux"].to_numpy(float, na_value=np.nan), expected, rtol=1e-5)
    assert (columns["fs_std_flux"].count(), columns["fs_sigma_std_flux"].count()) == (94, 94)
    assert columns["fs_sigma_std_flux"].min() > 0


def _flux(candidate: dict[str, Any]) -> float:
    """Return the flux of source and difference together [mJy]."""
    sign = 1 if candidate["isdiffpos"] in ("t", "1") else -1
    flux: float = 3.631e6 * (10 ** (-0.4 * candidate["magnr"]) + sign * 10 ** (-0.4 * candidate["magpsf"]))
    return flux


def _median(alert: dict[str, Any], medians: dict[str, np.ndarray]) -> float:
    known = medians.get(alert["objectId"])
    return np.nan if known is None else float(known[alert["candidate"]["fid"] - 1])


def test_anomaly_score_is_the_mean_of_both_forests_each_on_the_other_band(
    fink_science: Path, together: pd.DataFrame
) -> None:
    """Upstream takes the features of g for those of r and the other way round; it is run unmodified."""
    g, r = (together[f"lc_features_{band}"] for band in "gr")
    scores = (_scores(fink_science, "g", r) + _scores(fink_science, "r", g)) / 2
    expected = np.where(g.notna() & r.notna(), scores, np.nan)
    found = together["fs_anomaly_score"].to_numpy(float, na_value=np.nan)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert 400 < np.isfinite(found).sum() < 586


def _scores(fink_science: Path, forest: str, records: Iterable[Any]) -> np.ndarray:
    import onnxruntime
    from fink_science.ztf.anomaly_detection.processor import MODEL_COLUMNS

    folder = fink_science / "fink_science/data/models/anomaly_detection"
    means = pd.read_csv(folder / f"{forest}_means.csv", header=None, index_col=0)[1]
    features = pd.DataFrame(_numbers(records), columns=list(FEATURES))[MODEL_COLUMNS].fillna(means)
    session = onnxruntime.InferenceSession(folder / f"forest_{forest}_AAD.onnx")
    scores: np.ndarray = session.run(None, {"X": features.to_numpy(np.float32)})[-1]
    return scores[:, 0]


def test_what_the_contributor_reads_scores_our_own_features(fink_science: Path, alerts: dict[str, Alerts]) -> None:
    shown: dict[str, Any] = {"__name__": "example"}
    exec(compile(_shown("python"), "contributor.md", "exec", dont_inherit=True), shown)
    modules = in_order([get_module("lc_features"), AD_FEATURES, ANOMALY_DETECTION, shown["MODULE"]])
    columns = enriched(alerts[OTHERS], modules)
    assert columns["fs_anomaly_score_beta"].notna().all()
    assert (columns["fs_anomaly_score_beta"] != columns["fs_anomaly_score"]).all()


def _shown(kind: str) -> str:
    """Return what the contributor reads of processors, of one kind."""
    section = (CHECKOUT / "docs/contributor.md").read_text().partition("## A processor of fink-science\n")[2]
    (code,) = re.findall(rf"```{kind}\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    return code


def test_values_that_do_not_draw_are_the_same_in_any_company(alerts: dict[str, Alerts]) -> None:
    modules = in_order([ASTEROIDS, NALERTHIST, AD_FEATURES, STANDARDIZED_FLUX, ANOMALY_DETECTION])
    some = alerts[BLAZARS][:60]
    order = np.random.default_rng(7).permutation(len(some))
    parts = [enriched([some[place] for place in part], modules) for part in np.array_split(order, 4)]
    apart = pd.concat(parts, ignore_index=True).set_index(order).sort_index()
    pd.testing.assert_frame_equal(enriched(some, modules), apart, check_exact=False, rtol=1e-6)


@pytest.fixture
def in_spark(
    fink_science: Path, spark: SparkSession, alerts: dict[str, Alerts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DataFrame:
    """Return the first 60 blazars as the survey types them, in one batch, where workers can import the package."""
    monkeypatch.setitem(spark.sparkContext.environment, "PYTHONPATH", os.pathsep.join(map(str, sys.path)))
    some = alerts[BLAZARS][:60]
    kind = alert_type(by_place(ZTF().alert_schema), list(some[0]))
    pq.write_table(pa.Table.from_batches([batch_of(some, kind)]), tmp_path / "alerts.parquet")
    return spark.read.parquet(str(tmp_path / "alerts.parquet")).coalesce(1)


@pytest.fixture
def here(alerts: dict[str, Alerts]) -> pd.DataFrame:
    """What the six processors say of the same alerts in this process."""
    return enriched(alerts[BLAZARS][:60], in_order(MODULES))


def test_spark_gets_the_same_answers_finks_way(in_spark: DataFrame, here: pd.DataFrame) -> None:
    """The drawn rates too, in one and the same batch; the score because the adapter has made its pandas an old one."""
    theirs = _by_upstream(in_spark).toPandas()
    for name in ("roid", "nalerthist", *DRAWN, "sigma_rate", "delta_time", "from_upper"):
        assert _plain(here[f"fs_{name}"]) == _plain(theirs[name]), name
    for number, band in ((1, "g"), (2, "r")):
        records = [cell.get(number) for cell in theirs["features"]]
        np.testing.assert_array_equal(_numbers(here[f"fs_lc_features_{band}"]), _numbers(records))
    assert _plain(here["fs_anomaly_score"]) == _plain(theirs["score"].replace(0, np.nan))
    fluxes = [cell["flux"][-1] if len(cell["flux"]) else np.nan for cell in theirs["fluxes"]]
    assert _plain(here["fs_std_flux"]) == _plain(pd.Series(fluxes))
    assert here["fs_std_flux"].notna().any()


def test_modules_run_in_sparks_workers_as_they_do_here(
    in_spark: DataFrame, here: pd.DataFrame, spark: SparkSession, fink_science: Path
) -> None:
    tallies = tallies_in(spark)
    added = added_by_modules(in_spark, in_order(MODULES), tallies, {}).toPandas()
    assert [tally.text for tally in tallies.value.values()] == [""] * len(MODULES)
    for name in here:
        assert _plain(added[name]) == _plain(here[name]), name


def _by_upstream(df: DataFrame) -> DataFrame:
    """Return what Fink's own way through Spark adds."""
    from fink_science.ztf.ad_features.processor import extract_features_ad
    from fink_science.ztf.anomaly_detection.processor import anomaly_score
    from fink_science.ztf.asteroids.processor import roid_catcher
    from fink_science.ztf.fast_transient_rate.processor import fast_transient_module
    from fink_science.ztf.nalerthist.processor import nalerthist
    from fink_science.ztf.standardized_flux.processor import standardized_flux
    from fink_utils.spark.utils import concat_col

    df = fast_transient_module(df, 10_000, 2023)
    for field in ("magpsf", "jd", "sigmapsf", "fid", "distnr", "magnr", "sigmagnr", "isdiffpos"):
        df = concat_col(df, field)
    of_alert = [f"candidate.{field}" for field in ("ndethist", "sgscore1", "ssdistnr", "distpsnr1")]
    curve = ["cdistnr", "cmagpsf", "csigmapsf", "cmagnr", "csigmagnr", "cisdiffpos", "cfid", "cjd"]
    described = ["cmagpsf", "cjd", "csigmapsf", "cfid", "objectId", "cdistnr", "cmagnr", "csigmagnr", "cisdiffpos"]
    return df.select(
        *(*DRAWN, "sigma_rate", "delta_time", "from_upper"),
        roid_catcher("cjd", "cmagpsf", *of_alert).alias("roid"),
        nalerthist("cmagpsf").alias("nalerthist"),
        extract_features_ad(*described).alias("features"),
        standardized_flux("candid", "objectId", *curve).alias("fluxes"),
    ).withColumn("score", anomaly_score("features"))


def _plain(column: pd.Series) -> list[Any]:
    return list(column.astype(object).where(column.notna(), None))


def test_what_the_contributor_types_switches_all_six_on(
    fink_science: Path, sample_tarball: Path, tmp_path: Path
) -> None:
    typed = [line[2:] for line in _shown("console").splitlines() if not line.startswith("$ pip ")]
    (tmp_path / "ztf_public_20180819.tar.gz").symlink_to(sample_tarball)
    names = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "FINK_DATA": str(tmp_path / "data")}
    names["COLUMNS"] = "200"  # for the names of modules to stand in one line
    names["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)])

    done = subprocess.run(
        ["/bin/sh", "-ec", "\n".join(typed)], cwd=tmp_path, env={**os.environ, **names}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(module.name in done.stdout for module in MODULES)
    table = pq.read_table(tmp_path / "upstream.parquet")
    assert table.num_rows == 20
    assert {len(cell) for cell in table["science_status"].to_pylist()} == {0}
    assert table["fs_roid"].null_count == 0
    assert 0 < table["fs_anomaly_score"].null_count < 20


if SHARED.exists():

    def test_values_are_those_fink_published() -> None:
        alerts = upstreams()
        columns = enriched(alerts, in_order([*MODULES, get_module("nalerthist")]))
        for name in ("roid", "nalerthist", "jd_first_real_det", "jdstarthist_dt", "from_upper"):
            assert columns[f"fs_{name}"].tolist() == [alert[name] for alert in alerts], name
        for band in "gr":
            theirs = _numbers(alert[f"lc_features_{band}"] for alert in alerts)
            np.testing.assert_allclose(_numbers(columns[f"fs_lc_features_{band}"]), theirs, rtol=1e-6, equal_nan=True)
        for name in DRAWN:
            away = pd.Series([alert[name] for alert in alerts], dtype=float) - columns[f"fs_{name}"].astype(float)
            assert (away.abs() / columns["fs_sigma_rate"].astype(float)).max() < 1
