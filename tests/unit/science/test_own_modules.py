"""Modules of one's own beside the platform's: which run, which are refused, and that all places see the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from assets.specs import column_schema
from fink_dagster.enrich.plan import plan_of
from fink_dagster.errors import UserError
from fink_dagster.lake.tables import added_columns, tables
from fink_dagster.science import registry
from fink_dagster.science.own import Entry
from fink_dagster.science.registry import entries_for, get_module, modules, modules_for, refused_for
from fink_dagster.science.run import run_modules
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.avro import by_place
from tests.own_modules import HEAD, declared, write
from tests.toy import SCHEMA as TOY
from tests.toy import Toy

ZTF = get_survey("ztf")
SCHEMA = by_place(ZTF.alert_schema)


def _output(name: str, kind: str = "double") -> str:
    return f"(Output({name!r}, {kind!r}, '', '.'),)"


def _refused() -> dict[str, str]:
    return {entry.name: entry.why for entry in refused_for(SCHEMA)}


def test_every_place_sees_a_module_of_ones_own(own_modules: Path) -> None:
    write(own_modules, "twice")

    assert "twice" in [module.name for module in modules_for(SCHEMA)]
    assert get_module("twice").owner == "somebody"
    assert "twice" in [module.name for module in plan_of(ZTF).modules]
    assert [module.name for module in plan_of(ZTF, ["twice"]).modules] == ["twice"]
    assert ("twice", "double") in [(column.name, column.type) for column in added_columns(ZTF)]
    assert "twice" in [column.name for column in tables_of(ZTF)[0].columns]
    (column,) = [c for c in column_schema(ZTF, tables(ZTF)["science_alerts"]).columns if c.name == "twice"]
    assert column.description == "Twice the magnitude [mag] (twice 1, from candidate.magpsf)"


def test_without_a_setting_there_are_the_platforms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINK_SCIENCE_MODULES", raising=False)
    registry.reload()
    assert [entry for entry in entries_for(SCHEMA) if entry.is_own] == []
    assert len(modules()) == len(entries_for(SCHEMA))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"inputs": "('candidate.magpfs',)"},
            "must read fields of the alert or columns of other modules; got 'candidat",
        ),
        ({"outputs": _output("roid")}, "must add columns of its own; got 'roid', which module roid has; rename it"),
        ({"outputs": _output("dr3name")}, "got 'dr3name', which module gaia has; rename it"),
        ({"outputs": _output("night")}, "got 'night', which the platform has; rename it"),
        ({"outputs": _output("magpsf")}, "got 'magpsf', which the alert has; rename it"),
        ({"outputs": _output("objectID")}, "got 'objectID', which the alert has; rename it"),
        ({"outputs": _output("bad", "decimal")}, "must give 'bad' one of int, "),
        ({"outputs": _output("not a name")}, "must have outputs called by a plain word"),
        ({"name": "'roid'"}, "must have a name of its own; got that of the one in fink-dagster; rename it"),
        ({"where": "'roid'"}, "must have as where a boolean column of another module; got 'roid'; correct it"),
        ({"where": "'candidate.rb'"}, "must have as where a boolean column of another module"),
        ({"inputs": "('bad',)"}, "must not need each other's outputs in a circle; got bad -> bad; take one out"),
    ],
)
def test_one_that_cannot_be_taken_is_refused_and_the_others_run(
    own_modules: Path, changed: dict[str, str], why: str
) -> None:
    platform = [module.name for module in modules()]
    write(own_modules, "good")
    write(own_modules, "bad", **changed)
    registry.reload()
    (refused,) = refused_for(SCHEMA)
    assert why in refused.sentence
    assert refused.source == str(own_modules / "bad.py")
    assert sorted(module.name for module in modules_for(SCHEMA)) == sorted([*platform, "good"])


def test_of_two_with_one_column_the_later_file_is_refused(own_modules: Path) -> None:
    write(own_modules, "b", outputs=_output("shared"))
    write(own_modules, "a", outputs=_output("Shared"))
    assert _refused() == {"b": "must add columns of its own; got 'shared', which module a has; rename it"}


def test_one_that_needs_a_refused_one_is_refused_with_it(own_modules: Path) -> None:
    write(own_modules, "a", inputs="('b',)")
    write(own_modules, "b", inputs="('nothing',)")
    write(own_modules, "c", inputs="('d',)")
    write(own_modules, "d")
    assert set(_refused()) == {"a", "b"}
    names = [module.name for module in modules_for(SCHEMA)]
    assert names.index("d") < names.index("c")


def test_a_circle_through_the_platforms_own_costs_only_what_is_ones_own(own_modules: Path) -> None:
    platform = {module.name for module in modules()}
    write(own_modules, "rf_snia_vs_nonia", inputs="('finkclass',)")
    write(own_modules, "x", inputs="('y',)")
    write(own_modules, "y", inputs="('x',)")
    registry.reload()
    assert set(_refused()) == {"rf_snia_vs_nonia", "x", "y"}
    assert {module.name for module in modules_for(SCHEMA)} == platform


def test_what_runs_is_judged_for_each_survey(own_modules: Path) -> None:
    write(own_modules, "toys", inputs="('mjd',)")
    write(own_modules, "quality")
    assert list(_refused()) == ["toys"]
    refused = {entry.name: entry.why for entry in refused_for(by_place(TOY))}
    assert list(refused) == ["quality"]
    assert "got 'quality', which the alert has" in refused["quality"]
    assert {"toys", "quality"} & {column.name for column in added_columns(Toy())} == {"toys"}


def test_asking_for_a_refused_module_says_why(own_modules: Path) -> None:
    write(own_modules, "bad", version="1")  # a number, as code
    write(own_modules, "blind", inputs="('nothing',)")
    with pytest.raises(UserError, match=r"science module bad \(.*bad.py\): must have version as text"):
        get_module("bad")
    with pytest.raises(UserError, match=r"science module blind \(.*blind.py\): must read fields of the alert"):
        plan_of(ZTF, ["blind"])


def test_files_are_read_once_so_that_a_run_keeps_what_it_began_with(own_modules: Path) -> None:
    write(own_modules, "a")
    before = modules()
    write(own_modules, "a", version="'2'")
    write(own_modules, "b")
    assert modules() == before


def test_a_module_of_ones_own_runs_where_another_says(own_modules: Path) -> None:
    text = declared("rare", where="'is_first'")
    (own_modules / "rare.py").write_text(f"{HEAD}MODULE = {text}\n")
    frame = pd.DataFrame({"candidate.magpsf": [17.0, 18.0], "is_first": pd.array([True, False], dtype="boolean")})
    ran = run_modules(frame, [module for module in modules_for(SCHEMA) if module.name == "rare"])
    assert ran.failures == {}
    assert ran.columns["rare"].tolist() == [34.0, pd.NA]


def test_an_entry_tells_whose_it_is() -> None:
    assert not Entry("roid", "fink-dagster", get_module("roid")).is_own
    assert Entry("a", "a.py", None, "must load").sentence == "science module a (a.py): must load"
