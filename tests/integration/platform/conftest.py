"""The whole platform by its commands, as an operator uses it: own data folder, own ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from fink_dagster.local import dagster, platform
from fink_dagster.settings import CHECKOUT
from tests.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.settings import Settings


@dataclass
class Commands:
    """``fink-dagster`` with the settings of a test."""

    settings: Settings

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        command = [sys.executable, "-m", "fink_dagster.cli", *arguments]
        environment = {**os.environ, **self.settings.environment()}
        return subprocess.Popen(command, cwd=CHECKOUT, env=environment, text=True, stdout=-1, stderr=-1)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command to its end, check its exit code, and return what it printed."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=1500)
        assert process.returncode == code, out + err
        assert "Traceback" not in out + err
        return out if code == 0 else err

    def account(self, night: str) -> dict[str, Any]:
        """Return a night's account."""
        return dict(json.loads(self.run("account", night, "--json")))

    def run_worker(self) -> psutil.Process:
        """Return the process of the run that streams, once it has a JVM."""
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            for worker in dagster.run_workers(dagster.code_server(self.settings)):
                if any("java" in child.name() for child in worker.children()):
                    return worker
            time.sleep(0.5)
        message = "no run has started"
        raise AssertionError(message)

    def left_over(self) -> list[list[str]]:
        """Return the commands of processes that still use the data folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            if (process.info["environ"] or {}).get("FINK_DATA") == str(self.settings.data):
                found.append(process.info["cmdline"])
        return found


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The commands of a platform that is down at first, and at last."""
    settings = settings_in(tmp_path_factory.mktemp("platform"), max_offsets_per_trigger=60)
    yield Commands(settings)
    platform.down(settings, lambda _: None)
