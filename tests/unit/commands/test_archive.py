from __future__ import annotations

from collections import Counter

import pytest
from typer.testing import CliRunner

from fink_dagster.commands.archive import _in_words, app
from fink_dagster.errors import UserError
from fink_dagster.stages.rebuild import Rebuilt


@pytest.mark.parametrize(
    "nights",
    [
        "yesterday",
        "2018-11-29..2018-08-19",
        "2018-13-01",
        "2018-08-19'; DROP TABLE ztf",
        "../2018-08-19",
        "2018-08-19.",
    ],
)
def test_nights_that_are_none_are_asked_wrongly_and_nothing_is_started(
    nights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fink_dagster.lake.spark.session", lambda *_: pytest.fail("Spark was started"))
    result = CliRunner().invoke(app, ["rebuild", "--nights", nights])
    assert isinstance(result.exception, UserError)


def test_help_has_an_example() -> None:
    assert "Example: fink-dagster archive rebuild" in CliRunner().invoke(app, ["rebuild", "--help"]).output


def test_what_was_done_is_said_by_table_and_nothing_as_nothing() -> None:
    done = Rebuilt(Counter({"ztf": 2, "ztf.tns": 0}), Counter({"ztf.class": 1}))
    assert _in_words(done) == "put ztf 2; removed ztf.class 1"
    assert _in_words(Rebuilt()) == "everything is right"
