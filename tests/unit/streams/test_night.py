from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fink_dagster.lake.quarantine import Selection
from fink_dagster.settings import Settings
from fink_dagster.streams import night as module
from fink_dagster.streams.night import NightStreams
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF


def test_a_redrive_that_is_interrupted_is_let_finish(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = []

    def redrive(*_: object) -> dict[str, int]:
        # As the system sends it: this alone ends the wait for a result at once.
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(0.4)
        done.append("committed")
        return {}

    monkeypatch.setattr(module, "redrive", redrive)
    spark: Any = None
    streams = NightStreams(spark, Settings(data=tmp_path), ZTF(), Night("2020-01-01"), "r")
    with pytest.raises(KeyboardInterrupt):
        streams._redrive(Selection("2020-01-01"))
    assert done == ["committed"]
