"""The asset graph as operators see it: a change of keys, lineage or partitions is meant, or it is a mistake."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg

from assets.specs import column_lineage, stage_specs
from fink_dagster.definitions import build_definitions
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.judgement import filters_for
from fink_dagster.surveys.ztf import ZTF

LINEAGE = {
    "ztf/survey_topic": [],
    "ztf/raw_alerts": ["ztf/survey_topic"],
    "ztf/quarantine": ["ztf/survey_topic"],
    "ztf/science_alerts": ["ztf/raw_alerts"],
    "ztf/distributed": ["ztf/science_alerts"],
    "ztf/archived": ["ztf/science_alerts"],
    **{f"ztf/hbase/{table.name}": ["ztf/archived"] for table in tables_of(ZTF())},
    "ztf/topics/fink_ztf_night": ["ztf/distributed"],
    **{f"ztf/topics/{item.topic('ztf')}": ["ztf/distributed"] for item in filters_for(ZTF())},
}
NIGHT = "2018-08-19"
STAGES = {"ztf/raw_alerts", "ztf/quarantine", "ztf/science_alerts", "ztf/distributed", "ztf/archived"}


def graph() -> dg.Definitions:
    made = build_definitions()
    dg.Definitions.validate_loadable(made)
    return made


def test_the_lineage_is_the_way_of_an_alert() -> None:
    nodes = graph().resolve_asset_graph()
    found = {
        key.to_user_string(): sorted(parent.to_user_string() for parent in nodes.get(key).parent_keys)
        for key in nodes.get_all_asset_keys()
    }
    assert found == LINEAGE


def test_stages_are_partitioned_by_night_owned_and_described_and_the_rest_is_external() -> None:
    nodes = graph().resolve_asset_graph()
    for key in nodes.get_all_asset_keys():
        node, name = nodes.get(key), key.to_user_string()
        assert node.description, name
        assert node.is_materializable == (name in STAGES), name
        if name in STAGES:
            assert node.owners, name
            assert node.metadata["dagster/column_schema"].columns, name
            assert NIGHT in node.partitions_def.get_partition_keys()


def test_the_account_and_the_filters_are_checked_and_the_filters_hold_nothing_up() -> None:
    nodes = graph().resolve_asset_graph()
    found = {key.name: nodes.get(key) for key in nodes.asset_check_keys}
    assert {name: node.key.asset_key.to_user_string() for name, node in found.items()} == {
        "account_closes": "ztf/raw_alerts",
        "filters_behave": "ztf/distributed",
    }
    assert not found["filters_behave"].blocking
    assert NIGHT in found["filters_behave"].partitions_def.get_partition_keys()


def test_a_column_that_is_added_says_which_module_made_it_and_of_what() -> None:
    spec = next(spec for spec in stage_specs(ZTF()) if spec.key.path[-1] == "science_alerts")
    (roid,) = [column for column in spec.metadata["dagster/column_schema"].columns if column.name == "roid"]
    assert roid.description.startswith("Asteroid flag")
    assert "(roid 1, from candidate.distpsnr1, candidate.jd," in roid.description


def test_each_column_of_science_alerts_is_traced_to_those_of_raw_alerts() -> None:
    deps = column_lineage(ZTF()).deps_by_column
    assert {dep.column_name for dep in deps["roid"]} == {"candidate", "prv_candidates"}
    assert [dep.column_name for dep in deps["cutoutScience"]] == ["cutoutScience"]
    assert {dep.asset_key.to_user_string() for of in deps.values() for dep in of} == {"ztf/raw_alerts"}


def test_a_run_of_a_night_is_in_one_process() -> None:
    job = graph().resolve_job_def("ztf_night")
    assert job.executor_def.name == "in_process"


def test_the_definitions_load_in_a_fresh_interpreter() -> None:
    command = [sys.executable, "-c", "import fink_dagster.definitions as d; print(len(d.defs.assets))"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
