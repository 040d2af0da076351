"""Asking the running Dagster for a night's run, over GraphQL: launch it, find it, see how it is doing.

Dagster's Python package is not imported; what a run does is in ``assets``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import OperationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

ANSWER_SECONDS = 30.0
REFUSED_TAG = "fink/refused"
"""Tag in which a run says, as JSON, which messages it could not re-drive: code -> how many."""
_IN_PROGRESS = ("QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING")
_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_RUNS = """query Runs($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) {
  __typename ... on Runs { results { runId status tags { key value } } } ... on Error { message } } }"""
_FAILURES = """query Failures($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { error { message errorChain { error { message } } } }
  ... on RunFailureEvent { message error { message } } } } } }"""


@dataclass(frozen=True)
class Run:
    """A run of a night: Dagster's id and status, whether Dagster will try it again, what it could not re-drive.

    Attributes
    ----------
    refused : dict
        Code -> messages that are still no alert, of those the run was to re-drive.
    """

    id: str
    status: str
    will_retry: bool
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def in_progress(self) -> bool:
        """True until the run has ended."""
        return self.status in _IN_PROGRESS


def newest_run(settings: Settings, survey: Survey, night: Night) -> Run | None:
    """Return the newest run of a night, or None.

    Raises
    ------
    TransientError
        When the webserver does not answer.
    """
    tags = [{"key": "dagster/partition", "value": night.key}]
    answer = _ask(settings, _RUNS, {"filter": {"tags": tags, "pipelineName": _job(survey)}})["runsOrError"]
    if "results" not in answer:
        # Taken for "no run" it would launch a second one.
        message = f"dagster: must say which runs {_job(survey)} has; {_first_line(answer.get('message', ''))}"
        raise OperationError(message)
    runs = [_run(found) for found in answer["results"]]
    return runs[0] if runs else None


def launch(settings: Settings, survey: Survey, night: Night, config: Mapping[str, Any] | None = None) -> str:
    """Launch the run of a night and return its id.

    Parameters
    ----------
    settings : Settings
        Where Dagster is.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    config : mapping, optional
        How the run differs from the usual one, as ``NightConfig`` in ``assets.night`` has it.

    Raises
    ------
    TransientError
        When the webserver does not answer.
    OperationError
        When Dagster refuses; its reason is in the text.
    """
    selector = {"jobName": _job(survey), "repositoryName": "__repository__", "repositoryLocationName": "fink"}
    tags = [{"key": "dagster/partition", "value": night.key}]
    params = {
        "selector": selector,
        "mode": "default",
        "runConfigData": {"ops": {step(survey): {"config": dict(config)}}} if config else {},
        "executionMetadata": {"tags": tags},
    }
    answer = _ask(settings, _LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        why = _first_line(answer.get("message", answer["__typename"]))
        message = f"dagster: must launch {_job(survey)} for {night}; {why}"
        raise OperationError(message)
    return str(answer["run"]["runId"])


def step(survey: Survey) -> str:
    """Return the name of the one step of a night's run."""
    return f"stream_{survey.name}_night"


def why_failed(settings: Settings, run: Run) -> str:
    """Return in one sentence what ended a run."""
    if run.status == "CANCELED":
        return "it was canceled; start it again, and it goes on where it was"
    events = _ask(settings, _FAILURES, {"run": run.id})["logsForRun"].get("events", [])
    for event in events:
        error = event.get("error") if event else None
        if error:
            chain = error.get("errorChain") or []
            innermost = chain[-1]["error"] if chain else error
            return _first_line(innermost["message"].partition("Error: ")[2] or innermost["message"])
    return next(
        (_first_line(event["message"]) for event in events if event and event.get("message")), "no reason was given"
    )


def _run(found: dict[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    refused = json.loads(tags.get(REFUSED_TAG, "{}"))
    return Run(found["runId"], found["status"], tags.get("dagster/will_retry") == "true", refused)


def _job(survey: Survey) -> str:
    return f"{survey.name}_night"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:400] if text.strip() else "no reason was given"


def _ask(settings: Settings, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", settings.dagster_port, timeout=ANSWER_SECONDS)
    body = json.dumps({"query": query, "variables": variables})
    try:
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
    except (HTTPException, OSError, ValueError):
        where = f"127.0.0.1:{settings.dagster_port}"
        message = f"dagster: its webserver must answer at {where}; it does not; start it with `make up`"
        raise TransientError(message) from None
    finally:
        connection.close()
    if not isinstance(answer, dict) or not {"data", "errors"} & answer.keys():
        message = f"dagster: a webserver must listen at 127.0.0.1:{settings.dagster_port}; something else does; end it"
        raise OperationError(message)
    if "errors" in answer:
        message = f"dagster: must understand the question; {_first_line(answer['errors'][0]['message'])}"
        raise OperationError(message)
    return dict(answer["data"])
