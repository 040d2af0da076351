from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from assets.config import NightConfig
from fink_dagster import orchestrator
from fink_dagster.definitions import build_definitions
from fink_dagster.errors import OperationError, TransientError
from fink_dagster.lake.quarantine import Selection
from fink_dagster.settings import Settings
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF
from tests.conftest import free_ports

NIGHT = Night("2018-08-19")
FAILED = orchestrator.Run("r", "FAILURE", will_retry=False)


class FakeDagster(HTTPServer):
    """A webserver that answers what it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: bytes = b""
        self.asked: list[dict[str, Any]] = []

    def say(self, **data: Any) -> None:
        self.answer = json.dumps({"data": data}).encode()

    def say_run(self, status: str, ended: float | None = None, **tags: str) -> None:
        said = [{"key": key, "value": value} for key, value in tags.items()]
        run = {"runId": "r", "status": status, "endTime": ended, "tags": said}
        self.say(runsOrError={"__typename": "Runs", "results": [run]})

    @property
    def settings(self) -> Settings:
        return Settings(dagster_port=self.server_port)


class _Handler(BaseHTTPRequestHandler):
    server: FakeDagster

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def dagster() -> Iterator[FakeDagster]:
    with FakeDagster() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_launched_run_is_of_the_night_s_partition_of_the_survey_s_job(dagster: FakeDagster) -> None:
    dagster.say(launchRun={"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}})
    assert orchestrator.launch(dagster.settings, ZTF(), NIGHT) == "r1"
    params = dagster.asked[0]["variables"]["params"]
    assert params["selector"]["jobName"] == "ztf_night"
    assert params["executionMetadata"]["tags"] == [{"key": "dagster/partition", "value": "2018-08-19"}]


@pytest.mark.parametrize("redrive", [{}, {"code": "avro"}, {"topic": "t", "partition": 0, "offset": 7}])
def test_a_run_is_told_what_to_redrive_as_it_understands_it(dagster: FakeDagster, redrive: dict[str, Any]) -> None:
    dagster.say(launchRun={"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}})
    orchestrator.launch(dagster.settings, ZTF(), NIGHT, redrive)
    sent = dagster.asked[0]["variables"]["params"]["runConfigData"]
    dg.validate_run_config(build_definitions().resolve_job_def("ztf_night"), sent)
    said = NightConfig(**sent["ops"]["stream_ztf_night"]["config"])
    assert said.selection(NIGHT) == Selection(NIGHT.key, **redrive)


def test_a_run_that_redrives_is_found_by_what_it_was_launched_with(dagster: FakeDagster) -> None:
    dagster.say(launchRun={"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}})
    orchestrator.launch(dagster.settings, ZTF(), NIGHT, {"topic": "t", "code": "avro"})
    dagster.say(runsOrError={"__typename": "Runs", "results": []})
    orchestrator.newest_run(dagster.settings, ZTF(), NIGHT, {"code": "avro", "topic": "t"})
    launched, looked_for = (asked["variables"] for asked in dagster.asked)
    assert launched["params"]["executionMetadata"]["tags"] == looked_for["filter"]["tags"]
    assert {tag["key"] for tag in looked_for["filter"]["tags"]} == {"dagster/partition", orchestrator.REDRIVE_TAG}


@pytest.mark.parametrize(("tags", "refused"), [({}, None), ({orchestrator.REFUSED_TAG: '{"avro": 2}'}, {"avro": 2})])
def test_a_run_says_what_it_could_not_redrive_when_it_knows(
    dagster: FakeDagster, tags: dict[str, str], refused: dict[str, int] | None
) -> None:
    dagster.say_run("STARTED", **tags)
    run = orchestrator.newest_run(dagster.settings, ZTF(), NIGHT)
    assert run is not None
    assert run.refused == refused


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"__typename": "PipelineNotFoundError", "message": "no job\n  at line 7"}, "no job"),
        ({"__typename": "RunConfigValidationInvalid"}, "RunConfigValidationInvalid"),
    ],
)
def test_a_refused_launch_is_one_sentence_with_dagster_s_reason(
    dagster: FakeDagster, answer: dict[str, str], why: str
) -> None:
    dagster.say(launchRun=answer)
    with pytest.raises(OperationError, match=f"^dagster: must launch ztf_night for 2018-08-19; {why}$"):
        orchestrator.launch(dagster.settings, ZTF(), NIGHT)


def test_a_webserver_that_is_not_there_is_named_with_its_address_and_the_way_out() -> None:
    (port,) = free_ports(1)
    sentence = f"must answer at 127.0.0.1:{port}; it does not; start it with `make up`"
    with pytest.raises(TransientError, match=sentence):
        orchestrator.launch(Settings(dagster_port=port), ZTF(), NIGHT)


def test_something_else_that_answers_at_the_port_is_no_webserver(dagster: FakeDagster) -> None:
    dagster.answer = b"<html>hello</html>"
    with pytest.raises(TransientError, match="its webserver must answer"):
        orchestrator.newest_run(dagster.settings, ZTF(), NIGHT)


def test_a_question_dagster_does_not_understand_is_an_error(dagster: FakeDagster) -> None:
    dagster.answer = b'{"errors": [{"message": "no field x"}], "data": null}'
    with pytest.raises(OperationError, match="must understand the question; no field x"):
        orchestrator.newest_run(dagster.settings, ZTF(), NIGHT)


@pytest.mark.parametrize(("ago", "goes_on"), [(1.0, True), (orchestrator.RETRY_SECONDS + 1, False)])
def test_a_failed_run_goes_on_while_its_retry_can_still_come(dagster: FakeDagster, ago: float, goes_on: bool) -> None:
    dagster.say_run("FAILURE", time.time() - ago, **{"dagster/will_retry": "true"})
    run = orchestrator.newest_run(dagster.settings, ZTF(), NIGHT)
    assert run == orchestrator.Run("r", "FAILURE", will_retry=goes_on)
    assert run.goes_on == goes_on


def test_a_run_goes_on_until_it_has_ended() -> None:
    assert orchestrator.Run("r", "STARTED", will_retry=False).goes_on
    assert not FAILED.goes_on


def test_a_night_without_a_run_has_none(dagster: FakeDagster) -> None:
    dagster.say(runsOrError={"__typename": "Runs", "results": []})
    assert orchestrator.newest_run(dagster.settings, ZTF(), NIGHT) is None


def test_an_error_about_runs_is_not_taken_for_no_run(dagster: FakeDagster) -> None:
    dagster.say(runsOrError={"__typename": "PythonError", "message": "storage is away"})
    with pytest.raises(OperationError, match="which runs ztf_night has; storage is away"):
        orchestrator.newest_run(dagster.settings, ZTF(), NIGHT)


def test_why_a_run_failed_is_the_innermost_error(dagster: FakeDagster) -> None:
    inner = {"error": {"message": "fink_dagster.errors.OperationError: kafka: must answer\n at x"}}
    events = [{}, {"error": {"message": "outer", "errorChain": [inner]}}]
    dagster.say(logsForRun={"events": events})
    assert orchestrator.why_failed(dagster.settings, FAILED) == "kafka: must answer"


def test_a_run_that_failed_without_a_word_says_so(dagster: FakeDagster) -> None:
    dagster.say(logsForRun={"events": [{}]})
    assert orchestrator.why_failed(dagster.settings, FAILED) == "no reason was given"


def test_a_canceled_run_is_said_to_be_canceled(dagster: FakeDagster) -> None:
    canceled = orchestrator.Run("r", "CANCELED", will_retry=False)
    assert orchestrator.why_failed(dagster.settings, canceled).startswith("it was canceled; start it again")
    assert dagster.asked == []
