"""Asking the running Dagster for a night's run, over GraphQL: launch it, find it, see how it is doing.

Dagster's Python package is not imported; what a run does is in ``assets``.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

from fink_dagster.errors import OperationError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fink_dagster.settings import Settings
    from fink_dagster.surveys.base import Night, Survey

ANSWER_SECONDS = 30.0
RETRY_SECONDS = 60.0
"""How long Dagster may take to launch the run it said it would try again; it looks every few seconds."""
REDRIVE_TAG = "fink/redrive"
"""Tag that says, as JSON, which messages a run was launched to re-drive; Dagster's retries of the run inherit it."""
REFUSED_TAG = "fink/refused"
"""Tag in which a run says, as JSON, which messages it could not re-drive: code -> how many."""
_IN_PROGRESS = ("QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING")
_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_RUNS = """query Runs($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) {
  __typename ... on Runs { results { runId status endTime tags { key value } } } ... on Error { message } } }"""
_FAILURES = """query Failures($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on ExecutionStepFailureEvent { error { message errorChain { error { message } } } }
  ... on RunFailureEvent { message error { message } } } } } }"""


@dataclass(frozen=True)
class Run:
    """A run of a night: Dagster's id and status, whether Dagster will try it again, what it could not re-drive.

    Attributes
    ----------
    will_retry : bool
        True while a retry may still be launched; for ever it is not waited for.
    refused : dict, optional
        Code -> messages that are still no alert, of those the run was to re-drive; None before it has said so.
    """

    id: str
    status: str
    will_retry: bool
    refused: dict[str, int] | None = None

    @property
    def goes_on(self) -> bool:
        """True until the run has ended and will not be tried again."""
        return self.status in _IN_PROGRESS or self.will_retry


def newest_run(
    settings: Settings, survey: Survey, night: Night, redrive: Mapping[str, Any] | None = None
) -> Run | None:
    """Return the newest run of a night, or None.

    Parameters
    ----------
    settings : Settings
        Where Dagster is.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    redrive : mapping, optional
        Look only at runs that were launched with this, and Dagster's retries of them.

    Raises
    ------
    TransientError
        When the webserver does not answer.
    """
    which = {"tags": _tags(night, redrive), "pipelineName": _job(survey)}
    answer = _ask(settings, _RUNS, {"filter": which})["runsOrError"]
    if "results" not in answer:
        # Taken for "no run" it would launch a second one.
        message = f"dagster: must say which runs {_job(survey)} has; {_first_line(answer.get('message', ''))}"
        raise OperationError(message)
    runs = [_run(found) for found in answer["results"]]
    return runs[0] if runs else None


def launch(settings: Settings, survey: Survey, night: Night, redrive: Mapping[str, Any] | None = None) -> str:
    """Launch the run of a night and return its id.

    Parameters
    ----------
    settings : Settings
        Where Dagster is.
    survey : Survey
        Whose night.
    night : Night
        Which night.
    redrive : mapping, optional
        Which quarantined messages the run takes first, as ``NightConfig`` in ``assets.config`` has it; None: none.

    Raises
    ------
    TransientError
        When the webserver does not answer.
    OperationError
        When Dagster refuses; its reason is in the text.
    """
    selector = {"jobName": _job(survey), "repositoryName": "__repository__", "repositoryLocationName": "fink"}
    config = {"ops": {step(survey): {"config": {"redrive": dict(redrive)}}}} if redrive is not None else {}
    params = {
        "selector": selector,
        "mode": "default",
        "runConfigData": config,
        "executionMetadata": {"tags": _tags(night, redrive)},
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


def _tags(night: Night, redrive: Mapping[str, Any] | None) -> list[dict[str, str]]:
    # Tags are compared as text, so the order of what was asked for must not matter.
    asked = {} if redrive is None else {REDRIVE_TAG: json.dumps(redrive, sort_keys=True)}
    return [{"key": key, "value": value} for key, value in {"dagster/partition": night.key, **asked}.items()]


def _run(found: dict[str, Any]) -> Run:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    # Dagster never takes this tag back, whatever has kept it from launching the retry.
    will_retry = tags.get("dagster/will_retry") == "true" and time.time() - (found["endTime"] or 0) < RETRY_SECONDS
    return Run(found["runId"], found["status"], will_retry, json.loads(tags.get(REFUSED_TAG, "null")))


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
