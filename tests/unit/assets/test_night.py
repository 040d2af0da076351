"""What the run of a night tells Dagster; the streams are made up, the run is Dagster's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from assets import night as module
from fink_dagster.accounts.flow import Flow, Passage
from fink_dagster.definitions import build_definitions
from fink_dagster.filters.registry import get_filter
from fink_dagster.lake.quarantine import Selection
from fink_dagster.orchestrator import REFUSED_TAG
from fink_dagster.settings import CHECKOUT, Settings
from tests.lake import FakeLakeReader

NIGHT = "2018-08-19"


class FakeStreams:
    """Streams of a drained night with two messages in quarantine and one re-driven; it remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[Selection | None] = []
        self.done: list[str] = []
        places = [{"topic": "t", "partition": 0, "offset": offset} for offset in range(3)]
        self.tables = {
            "quarantine": [{**place, "night": NIGHT, "code": "avro"} for place in places],
            "raw_alerts": [{**places[2], "night": "2018-08-20"}],
            "science_alerts": [{"night": NIGHT}] * 3,
            "distributed": [{"night": NIGHT, "filter": "sso_ztf_candidates", "candid": 1}],
        }

    @contextmanager
    def streaming(self, survey: Any, night: Any, run: str, redrive: Selection | None = None) -> Iterator[Any]:
        self.asked.append(redrive)
        passage = Passage(5, 3, 2, 0)
        yield SimpleNamespace(
            survey=survey,
            night=night,
            lake=SimpleNamespace(reader=FakeLakeReader(**self.tables)),
            filters=[get_filter("sso_ztf_candidates")],
            settings=Settings(drain_grace_seconds=0),
            refused={"avro": 2},
            flow=lambda: Flow(passage, passage, passage, passage),
            quarantined=lambda: {"avro": 2},
            poll=lambda: None,
            finish=lambda: self.done.append("queries stopped"),
            rates=dict,
            measures=lambda: {"raw2science": {"science_modules_off": 1}},
            failures=dict,
        )
        self.done.append("lease given back")


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> FakeStreams:
    account = SimpleNamespace(closes=True, why_open=[], quarantined={"avro": 2}, as_books=dict)
    fake = FakeStreams()
    monkeypatch.setattr(module, "close_night", lambda *_: fake.done.append("closed") or account)
    return fake


def ran(streams: FakeStreams, instance: dg.DagsterInstance | None = None, **config: Any) -> dg.ExecuteInProcessResult:
    job = build_definitions(resources={"streams": streams}).resolve_job_def("ztf_night")
    run_config = {"ops": {"stream_ztf_night": {"config": config}}}
    return job.execute_in_process(
        partition_key=NIGHT, run_config=run_config, instance=instance, raise_on_error=instance is None
    )


def of_quarantine(events: list[Any]) -> list[dict[str, Any]]:
    return [dict(event.metadata) for event in events if event.asset_key.path == ["ztf", "quarantine"]]


def test_quarantine_is_observed_and_materialized_with_its_number_and_a_table_by_code(streams: FakeStreams) -> None:
    done = ran(streams)
    (metadata,) = of_quarantine([event.materialization for event in done.get_asset_materialization_events()])
    assert metadata["quarantined"].value == 2
    assert [record.data for record in metadata["by_code"].records] == [{"code": "avro", "messages": 2}]
    observed = [event for event in done.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    assert metadata in of_quarantine([event.asset_observation_data.asset_observation for event in observed])
    assert streams.asked == [None]


def test_science_modules_that_are_switched_off_are_counted_beside_the_rows(streams: FakeStreams) -> None:
    observed = [event for event in ran(streams).all_events if event.event_type_value == "ASSET_OBSERVATION"]
    said = [event.asset_observation_data.asset_observation for event in observed]
    off = {
        each.asset_key.path[-1]: each.metadata["science_modules_off"].value
        for each in said
        if "lag" in each.metadata and "science_modules_off" in each.metadata
    }
    assert off == {"science_alerts": 1}


def test_a_night_is_closed_before_another_run_can_have_it(streams: FakeStreams) -> None:
    ran(streams)
    assert streams.done == ["queries stopped", "closed", "lease given back"]


def test_every_stage_and_quarantine_are_materialized(streams: FakeStreams) -> None:
    found = {event.asset_key.path[-1] for event in ran(streams).get_asset_materialization_events()}
    assert found == {"raw_alerts", "science_alerts", "distributed", "archived", "quarantine"}


def test_the_log_says_which_nights_redriven_messages_landed_in(
    streams: FakeStreams, capfd: pytest.CaptureFixture[str]
) -> None:
    ran(streams, redrive={})
    assert "re-driven; alerts by night: {'2018-08-20': 1}; still no alerts: {'avro': 2}" in capfd.readouterr().err


def test_a_run_redrives_what_its_config_says_and_tags_itself_with_what_was_refused(streams: FakeStreams) -> None:
    done = ran(streams, redrive={"code": "avro"})
    assert done.dagster_run.tags[REFUSED_TAG] == '{"avro": 2}'
    ran(streams, redrive={})
    assert streams.asked == [Selection(NIGHT, "avro"), Selection(NIGHT)]


def test_half_a_coordinate_in_the_launchpad_is_refused_before_anything_is_streamed(streams: FakeStreams) -> None:
    with pytest.raises(dg.Failure, match="offset must be one of a partition"):
        ran(streams, redrive={"offset": 3})
    assert streams.asked == []


def test_a_run_that_was_asked_wrongly_is_not_tried_again(streams: FakeStreams, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((CHECKOUT / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        done = ran(streams, instance, redrive={"offset": 3})
        assert not done.success
        assert instance.get_run_by_id(done.run_id).tags["dagster/will_retry"] == "false"


def checks(done: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in done.get_asset_check_evaluations()}


def test_what_each_filter_passed_is_a_check_of_the_night(streams: FakeStreams) -> None:
    check = checks(ran(streams))["filters_behave"]
    assert (check.passed, check.partition, check.asset_key.path) == (True, NIGHT, ["ztf", "distributed"])
    (row,) = check.metadata["filters"].records
    assert row.data == {
        "filter": "sso_ztf_candidates",
        "version": get_filter("sso_ztf_candidates").version,
        "passed": 1,
        "share": pytest.approx(1 / 3),
        "share_limit": 1.0,
        "failed": 0,
        "error": "",
    }


def test_a_filter_that_failed_is_warned_of_and_the_night_is_there_all_the_same(streams: FakeStreams) -> None:
    failed = {"failed_at": 1, "night": NIGHT, "filter": "sso_ztf_candidates", "failed": 2, "error": "KeyError: 'x'"}
    streams.tables["filter_errors"] = [{**failed, "version": get_filter("sso_ztf_candidates").version}]
    done = ran(streams)
    check = checks(done)["filters_behave"]
    assert (check.passed, check.severity, check.metadata["wrong"].value) == (
        False,
        dg.AssetCheckSeverity.WARN,
        "sso_ztf_candidates",
    )
    assert check.metadata["filters"].records[0].data["error"] == "KeyError: 'x'"
    assert done.success
    assert len(done.get_asset_materialization_events()) == 5
