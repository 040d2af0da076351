"""Filters of one's own beside the platform's: which are taken, which are refused, and that they work elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fink_dagster.errors import UserError
from fink_dagster.filters import registry
from fink_dagster.filters.apply import judge
from fink_dagster.filters.filter import ALONE, COUNT, SHARED
from fink_dagster.filters.own import filters_in
from fink_dagster.filters.registry import entries, filters, get_entry, get_filter, refused
from fink_dagster.settings import CHECKOUT
from fink_dagster.stages.distribution import COUNT as SENT_TO_COUNT
from fink_dagster.stages.judgement import absent_inputs, filters_for
from fink_dagster.surveys import get_survey
from tests.own_filters import HEAD, declared, write

FRAME = pd.DataFrame({"candidate.magpsf": [16.0, 18.5]})
ZTF = get_survey("ztf")


def test_a_filter_in_the_folder_is_taken_and_judged_in_a_process_of_its_own(own_filters: Path) -> None:
    file = write(own_filters, "bright")

    (entry,) = [entry for entry in entries() if entry.is_own]
    assert (entry.name, entry.source, entry.why) == ("bright", str(file), "")
    assert get_filter("bright").process == ALONE
    assert "bright" in [item.name for item in filters_for(ZTF)]
    file.unlink()
    assert judge(FRAME, [get_filter("bright")]).passed == [["bright"], []]


def test_without_a_setting_there_are_the_platforms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINK_FILTERS", raising=False)
    monkeypatch.delenv("FINK_FINK_FILTERS", raising=False)
    registry.reload()
    assert {(entry.is_own, entry.source, entry.why) for entry in entries()} == {(False, "fink-dagster", "")}


def test_what_is_found_is_kept_until_somebody_looks_anew(own_filters: Path) -> None:
    write(own_filters, "early")
    assert "early" in [item.name for item in filters()]
    write(own_filters, "late")
    assert "late" not in [item.name for item in filters()]
    registry.reload()
    assert "late" in [item.name for item in filters()]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "'vra'"}, "must have a name of its own; got that of the one in fink-dagster; rename it"),
        ({"name": "'count'"}, "must not be called 'count', as the count topic is; got that; rename it"),
        ({"name": "'ztf_mine'"}, "must not have a name that begins with a survey's; got 'ztf_mine'; rename it"),
        ({"name": "'No-Topic'"}, "filter name: must be a lower-case letter and then at most 40 of a-z, 0-9 and _"),
        ({"name": "None"}, "filter name: must be a lower-case letter"),
        ({"inputs": "'candidate.magpsf'"}, "must have inputs as a tuple of texts; got 'candidate.magpsf'; a tuple"),
        ({"inputs": "()"}, "must have an input; got none; name one, it says how many alerts there are"),
        ({"inputs": "(7,)"}, "must have inputs as a tuple of texts; got (7,)"),
        ({"predicate": "'bright'"}, "must have a predicate; got 'bright'; correct it"),
        ({"description": "''"}, "must have description as text; got ''; write it in quotes"),
        ({"owner": "None"}, "must have owner as text; got None"),
        ({"version": "1"}, "must have version as text; got 1; write it in quotes"),
        ({"limits": "60"}, "must have limits as Limits(seconds, memory_mib), a day and 1 PiB at most; got 60"),
        ({"nonsense": "1"}, "must load; got TypeError: Filter.__init__() got an unexpected keyword argument"),
    ],
)
def test_one_that_declares_itself_wrongly_is_refused_in_a_sentence_and_the_others_are_taken(
    own_filters: Path, changed: dict[str, str], why: str
) -> None:
    write(own_filters, "a_wrong_one", **changed)
    write(own_filters, "good")

    (entry,) = refused()
    assert why in entry.sentence
    assert entry.sentence.startswith(f"filter {entry.name} ({own_filters / 'a_wrong_one.py'}): ")
    assert "\n" not in entry.sentence
    assert "good" in [item.name for item in filters()]
    assert get_filter("vra").owner == "fink"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nothing_of_that_name", "must load; got ModuleNotFoundError"),
        ("raise SystemExit(3)", "must load; got SystemExit: 3; correct it"),
        ("", "must define FILTER or FILTERS; got neither; docs/contributor.md shows how"),
        ("FILTER = len", "must define FILTER as a Filter of fink_dagster.filters.filter, or several; got"),
    ],
)
def test_a_file_that_does_not_load_costs_itself_alone(own_filters: Path, text: str, why: str) -> None:
    (own_filters / "broken.py").write_text(text)
    write(own_filters, "good")

    (entry,) = refused()
    assert (entry.name, entry.filter) == ("broken", None)
    assert why in entry.why
    with pytest.raises(UserError, match=r"filter broken \(.*\): must "):
        get_filter("broken")
    assert get_entry("broken") == entry
    assert "good" in [item.name for item in filters()]


def test_of_two_of_one_name_the_first_is_taken(own_filters: Path) -> None:
    write(own_filters, "a")
    (own_filters / "b.py").write_text(f"{HEAD}FILTERS = [{declared('a')}, {declared('c')}]\n")
    assert [(entry.name, bool(entry.why)) for entry in entries() if entry.is_own] == [
        ("a", False),
        ("a", True),
        ("c", False),
    ]
    assert get_filter("a").inputs == ("candidate.magpsf",)


def test_a_folder_that_is_not_there_is_said_and_nothing_else_is_lost(
    monkeypatch: pytest.MonkeyPatch, own_filters: Path
) -> None:
    own_filters.rmdir()
    (entry,) = refused()
    assert entry.why == "must be a folder; got none; make it, or unset the setting"
    assert "vra" in [item.name for item in filters()]


def test_one_that_lacks_a_column_is_known_and_not_asked(own_filters: Path) -> None:
    write(own_filters, "hopeful", inputs="('candidate.magpsf', 'candidate.nothing', 'lc_features_g.mean', 'soon')")
    assert absent_inputs(get_filter("hopeful"), ZTF) == ["candidate.nothing", "soon"]
    assert "hopeful" not in [item.name for item in filters_for(ZTF)]


def test_a_module_that_adds_the_column_brings_a_filter_alive(own_filters: Path, own_modules: Path) -> None:
    from tests import own_modules as modules

    assert absent_inputs(get_filter("microlensing_candidates"), ZTF) == ["mulens"]
    modules.write(own_modules, "mulens")
    from fink_dagster.science import registry as science

    science.reload()
    assert "microlensing_candidates" in [item.name for item in filters_for(ZTF)]


def test_the_count_topic_has_a_name_no_filter_can_have() -> None:
    assert COUNT == SENT_TO_COUNT


def test_a_file_is_asked_for_its_filters_by_a_test_beside_it(tmp_path: Path) -> None:
    (item,) = filters_in(write(tmp_path, "bright"))
    assert judge(FRAME, [item]).passed == [["bright"], []]


def test_installed_packages_bring_filters_by_entry_points(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        f"{HEAD}ONE = {declared('one')}\ndef more():\n    return [{declared('two')}, {declared('three')}]\n"
    )
    (tmp_path / "theirs-1.0.dist-info").mkdir()
    (tmp_path / "theirs-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (tmp_path / "theirs-1.0.dist-info" / "entry_points.txt").write_text(
        "[fink_dagster.filters]\na = theirs:ONE\nb = theirs:more\nc = theirs:none\n"
    )
    program = (
        "import pandas as pd; from fink_dagster.filters.apply import judge; "
        "from fink_dagster.filters.registry import entries, get_filter; "
        "theirs = [e for e in entries() if e.is_own]; "
        "print([e.name for e in theirs if not e.why]); print([e.sentence for e in theirs if e.why]); "
        "print(judge(pd.DataFrame({'candidate.magpsf': [16.0, 18.5]}), [get_filter('two')]).passed)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(tmp_path)])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == [
        "['one', 'three', 'two']",
        "[\"filter c (theirs: theirs:none): must load; got AttributeError: module 'theirs' has no attribute 'none'; "
        'correct it"]',
        "[['two'], []]",
    ], done.stderr


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("FINK_FILTERS", raising=False)
    registry.reload()
    return monkeypatch


def _upstreams(named: pytest.MonkeyPatch, names: str) -> dict[str, str]:
    named.setenv("FINK_FINK_FILTERS", names)
    registry.reload()
    found = {entry.name: entry.why for entry in entries() if entry.source == "fink-filters"}
    named.delenv("FINK_FINK_FILTERS")
    registry.reload()
    return found


def test_the_setting_names_filters_of_fink_filters(named: pytest.MonkeyPatch) -> None:
    assert _upstreams(named, "vra, blazar,vra") == {"ff_blazar": "", "ff_vra": ""}
    everything = _upstreams(named, "all")
    assert len(everything) == 16
    assert set(everything.values()) == {""}


def test_a_name_fink_filters_does_not_have_is_refused_and_the_others_run(named: pytest.MonkeyPatch) -> None:
    found = _upstreams(named, "vra,nova")
    assert found["ff_vra"] == ""
    assert found["nova"].startswith("must be all or one of blazar, early_sn_candidates, ")
    assert found["nova"].endswith("; got 'nova'; correct FINK_FINK_FILTERS")


def test_filters_of_fink_filters_share_a_process_and_are_not_the_platforms(named: pytest.MonkeyPatch) -> None:
    named.setenv("FINK_FINK_FILTERS", "vra")
    registry.reload()
    assert (get_filter("ff_vra").process, get_entry("ff_vra").is_own) == (SHARED, True)
    named.delenv("FINK_FINK_FILTERS")
    registry.reload()
