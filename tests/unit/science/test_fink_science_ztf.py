"""The six processors of fink-science that are declared: who asks for them has them, and nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fink_dagster.science import fink_science, registry
from fink_dagster.science.fink_science_ztf import MODULES
from fink_dagster.science.registry import get_module, modules_for, refused_for
from fink_dagster.science.run import run_modules
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place
from tests.alerts import frame
from tests.packets import decoded

SCHEMA = by_place(get_survey("ztf").alert_schema)
NAMES = {module.name for module in MODULES}


def test_none_runs_unless_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINK_SCIENCE_MODULES", raising=False)
    registry.reload()
    assert len(NAMES) == 6
    assert NAMES & {module.name for module in modules_for(SCHEMA)} == set()


def test_one_line_in_a_folder_of_ones_own_brings_all(own_modules: Path) -> None:
    (own_modules / "fink_science.py").write_text("from fink_dagster.science.fink_science_ztf import MODULES\n")
    assert [entry.sentence for entry in refused_for(SCHEMA)] == []
    names = [module.name for module in modules_for(SCHEMA)]
    assert set(names) > NAMES
    assert names.index("fs_ad_features") < names.index("fs_anomaly_detection")


def test_without_the_package_each_says_so_and_the_others_run(
    packets: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fink_science", None)
    fink_science.udf_of.cache_clear()
    modules = [get_module("nalerthist"), *MODULES]
    ran = run_modules(frame([decoded(packet)[1] for packet in packets], modules), modules)
    assert ran.columns["nalerthist"].notna().all()
    assert set(ran.failures) == NAMES
    assert ran.failures["fs_asteroids"].text.endswith("; pip install fink-science where modules run")
    anomaly = {codes["fs_anomaly_detection"] for codes in ran.status}
    assert ({codes["fs_asteroids"] for codes in ran.status}, anomaly) == ({"no_processor"}, {"no_input"})
