"""What the pages say is there: commands, options, targets, files, settings, tables, topics, and code that runs."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import typer

from fink_dagster.cli import app, load
from fink_dagster.filters.apply import judge
from fink_dagster.filters.fink_filters_ztf import wanted
from fink_dagster.filters.registry import filters
from fink_dagster.hbase.tables import archive_tables
from fink_dagster.lake.tables import added_columns, tables
from fink_dagster.science.admission import fault_in
from fink_dagster.science.run import run_modules
from fink_dagster.settings import CHECKOUT, KafkaCluster, Settings
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.stages.decoding import merged_schema
from fink_dagster.stages.statistics import TABLE as STATISTICS
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ROOT = CHECKOUT
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
OURS = re.compile(r"(fink_dagster|assets|sensors|resources|expectations|tests|docs|bench|\.ci)/[\w./-]*")
AT_THE_TOP = re.compile(r"[\w.-]+\.(md|toml|yaml|lock)|Makefile|LICENSE")
CHOSEN_BY_THE_MACHINE = {
    "data": "`.fink/` in the checkout",
    "cache": "`fink-dagster/` in `XDG_CACHE_HOME`, else in `~/.cache`",
}


def fenced(page: Path, *kinds: str) -> list[str]:
    return [textwrap.dedent(code) for _, kind, code in FENCED.findall(page.read_text()) if kind in kinds]


def inline(page: Path) -> list[str]:
    return INLINE.findall(FENCED.sub("", page.read_text()))


def typed_in(page: Path) -> Iterator[list[str]]:
    """Yield every command line of a page as words: after a prompt in a block, or between backticks in the text."""
    lines = [line[2:] for block in fenced(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    for line in [*lines, *inline(page)]:
        for command in line.split("&&"):
            words = command.split()
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                words.pop(0)
            if words:
                yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def wrong_with(command: Any, words: list[str]) -> str | None:
    """Return what a command would refuse in some words, or None; that something is left out is no error in a text."""
    if hasattr(command, "commands"):
        if not words or words[0] == "--help":
            return None
        inner = command.commands.get(words[0])
        return f"no command {words[0]}" if inner is None else wrong_with(inner, words[1:])
    options = {name: item for item in command.params for name in item.opts if name.startswith("-")}
    arguments = [item for item in command.params if not any(name.startswith("-") for name in item.opts)]
    rest = list(words)
    given = 0
    while rest:
        word = rest.pop(0)
        if word in ("--help", "..."):
            continue
        if word.startswith("-"):
            if word not in options:
                return f"no option {word}"
            if not options[word].is_flag and rest:
                rest.pop(0)
        else:
            given += 1
    return f"{given} arguments, it takes {len(arguments)}" if given > len(arguments) else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page):
    group = typer.main.get_group(app)
    group.commands = {name: load(name) for name in group.commands}
    found = [words for words in typed_in(page) if words[0] == "fink-dagster"]

    wrong = {" ".join(words): wrong_with(group, words[1:]) for words in found}

    assert {line: why for line, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_on_a_page_exists(page):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"\b[A-Z]+\b", makefile))
    words = [word for line in typed_in(page) if line[0] == "make" for word in line[1:]]

    unknown = [word for word in words if word.partition("=")[0] not in (variables if "=" in word else targets)]

    assert unknown == []


def test_the_readme_names_every_command():
    group = typer.main.get_command(app)
    told = {words[1] for words in typed_in(ROOT / "README.md") if words[0] == "fink-dagster" and len(words) > 1}

    assert told >= set(group.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_on_a_page_exists(page):
    links = [target for target in LINK.findall(page.read_text()) if "://" not in target]
    named = [code for code in inline(page) if OURS.fullmatch(code) or AT_THE_TOP.fullmatch(code)]

    absent = [target for target in links if not (page.parent / target).exists()]
    absent += [name for name in named if not (ROOT / name).exists()]

    assert absent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_piece_of_python_can_be_read(page):
    for code in fenced(page, "python"):
        ast.parse(code)


def test_every_decision_has_its_parts_and_its_number():
    pages = sorted((DOCS / "adr").glob("*.md"))

    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        assert page.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], page.name


def test_the_operator_reads_of_every_setting():
    """The table is made from the settings; when it is not that one, put in the one this test shows."""
    expected = "\n".join(settings_table())
    section = (DOCS / "operator.md").read_text().partition("<!-- settings -->")[2]

    assert section.partition("<!-- end of settings -->")[0].strip() == expected, expected


def settings_table() -> Iterator[str]:
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, item in Settings.model_fields.items():
        if isinstance(item.default, KafkaCluster):
            for inner, member in KafkaCluster.model_fields.items():
                yield _row(f"{name}__{inner}", member, f"{name.replace('_', ' ')}: {member.description}")
        else:
            yield _row(name, item, item.description or "")


def _row(name: str, item: FieldInfo, meaning: str) -> str:
    default = CHOSEN_BY_THE_MACHINE.get(name) or ("unset" if item.default is None else f"`{item.default}`")
    return f"| `FINK_{name.upper()}` | {default} | {meaning} |"


def test_the_operator_reads_of_every_code_of_quarantine():
    sources = [*ROOT.glob("fink_dagster/surveys/*.py"), *ROOT.glob("fink_dagster/stages/*.py")]
    used = {code for file in sources for code in re.findall(r'CorruptData\(\s*"([a-z_]+)"', file.read_text())}
    section = (DOCS / "operator.md").read_text().partition("## Quarantine")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)) == used | {"undecodable"}


def test_the_data_engineer_reads_of_every_table_and_column():
    page = (DOCS / "data-engineer.md").read_text()
    survey = get_survey("ztf")
    held = tables(survey)
    alert = {field["name"] for field in survey.alert_schema["fields"]} - {survey.identifier, survey.object_identifier}
    outputs = {column.name for column in added_columns(survey)} - {"science_status", "science_versions"}
    columns = {column.name for table in held.values() for column in table.columns} - alert - outputs

    assert set(re.findall(r"^\| `(\w+)`", page.partition("\n## The account")[0], re.MULTILINE)) == set(held)
    assert [name for name in sorted(columns) if f"`{name}`" not in page] == []


def test_the_scientist_reads_of_every_filter():
    """The table is made from the filters; when it is not that one, put in the one this test shows."""
    rows = [f"| `{f.topic('ztf')}` | {f.description} | {', '.join(f'`{p}`' for p in f.inputs)} |" for f in filters()]
    expected = "\n".join(["| topic | what passes | inputs |", "|---|---|---|", *rows])
    section = (DOCS / "scientist.md").read_text().partition("<!-- filters -->")[2]

    assert section.partition("<!-- end of filters -->")[0].strip() == expected, expected


def test_the_scientist_reads_of_every_column_and_cut():
    page = (DOCS / "scientist.md").read_text()
    survey = get_survey("ztf")
    wanted = [column.name for column in added_columns(survey)]
    wanted += [f"{cut.field} {cut.operator} {cut.value:g}" for cut in survey.cuts]

    assert [text for text in wanted if f"`{text}`" not in page] == []


def test_the_scientist_reads_of_every_table_of_the_archive():
    """The table is made from the declarations; when it is not that one, put in the one this test shows."""
    expected = "\n".join(archive_table())
    section = (DOCS / "scientist.md").read_text().partition("<!-- tables of the archive -->")[2]

    assert section.partition("<!-- end of tables -->")[0].strip() == expected, expected


def archive_table() -> Iterator[str]:
    yield "| table | row key | columns | rows are |"
    yield "|---|---|---|---|"
    for table in tables_of(get_survey("ztf")):
        yield f"| `{table.name}` | `{'_'.join(table.key)}` | {len(table.columns)} | {table.holds} |"
    yield f"| `{STATISTICS.name}` | `ztf_YYYYMMDD` | as there are classes | {STATISTICS.holds} |"


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    """What the contributor's examples define, in their order: filters first, then modules, last a survey."""
    made = []
    for code in fenced(DOCS / "contributor.md", "python"):
        namespace: dict[str, Any] = {"__name__": "example"}
        exec(compile(code, "contributor.md", "exec", dont_inherit=True), namespace)
        made.append(namespace)
    return made


def test_the_contributors_filter_passes_what_it_says(examples):
    frame = pd.DataFrame({"candidate.magpsf": [16.0, 18.0, None], "candidate.ndethist": [1, 1, 1]})

    verdicts = judge(frame, [examples[0]["FILTER"]])

    assert (verdicts.passed, verdicts.failed) == ([["bright_and_new"], [], []], [{}, {}, {}])


def test_the_contributors_module_computes_what_it_says(examples):
    frame = pd.DataFrame(
        {"candidate.jd": [10.0, 10.0], "prv_candidates.jd": [np.array([3.0, 7.0]), None]}, dtype=object
    ).astype({"candidate.jd": float})

    ran = run_modules(frame, [examples[3]["MODULE"]])

    assert ran.failures == {}
    assert ran.columns["history_span"].tolist() == [7.0, 0.0]


def test_a_module_of_ones_own_is_made_as_the_contributor_reads_it(tmp_path, sample_tarball):
    """What is typed is typed, in order; the file gets the text shown, and the test the numbers it names."""
    section = (DOCS / "contributor.md").read_text().partition("## A science module of your own\n")[2]
    script = ["set -e"]
    for _, kind, text in FENCED.findall(section.partition("\n## ")[0]):
        if kind == "console":
            script += [line[2:] for line in text.splitlines()]
        elif kind == "python":
            (tmp_path / "shown.py").write_text(text)
            script += ["cp shown.py my_modules/fading.py"]
            script += ["sed -i 's/tolist() == .*/tolist() == [-1.0, pd.NA, pd.NA, pd.NA]/' my_modules/test_fading.py"]
    assert "`[-1.0, pd.NA, pd.NA, pd.NA]`" in section
    (tmp_path / "ztf_public_20180819.tar.gz").symlink_to(sample_tarball)
    names = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    names |= {"FINK_DATA": str(tmp_path / "data"), "FINK_CATALOGUES": str(tmp_path / "catalogues")}

    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(script)], cwd=tmp_path, env={**os.environ, **names}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    before, after = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("before", "after"))
    assert before.num_rows == after.num_rows == 20
    assert before["fading"].null_count == after["fading"].null_count < 20
    assert dict(after["science_versions"][0].as_py()) == {"fading": "2"}
    assert before["fading"].drop_null().to_pylist() != after["fading"].drop_null().to_pylist()


def test_a_filter_of_ones_own_is_made_as_the_contributor_reads_it(tmp_path):
    """The two files get the texts shown, and what is typed is typed."""
    section = (DOCS / "contributor.md").read_text().partition("## A filter of your own\n")[2].partition("\n## ")[0]
    shown = [text for _, kind, text in FENCED.findall(section) if kind == "python"]
    typed = [line[2:] for _, kind, text in FENCED.findall(section) if kind == "console" for line in text.splitlines()]
    names = re.findall(r"`my_filters/(\w+\.py)`", section)
    (tmp_path / "my_filters").mkdir()
    for name, text in zip(names, shown, strict=True):
        (tmp_path / "my_filters" / name).write_text(text)
    variables = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    variables |= {"FINK_DATA": str(tmp_path / "data"), "COLUMNS": "200"}

    done = subprocess.run(
        ["/bin/sh", "-ec", "\n".join(typed)],
        cwd=tmp_path,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "fading_fast.py" in done.stdout


def test_what_the_contributor_types_for_fink_filters_names_filters_there_are():
    section = (DOCS / "contributor.md").read_text().partition("## A filter of fink-filters\n")[2].partition("\n## ")[0]
    (names,) = re.findall(r"FINK_FINK_FILTERS=(\S+)", section)

    assert [entry.why for entry in wanted(names)] == [""] * 3


def test_the_contributors_processor_is_a_module_where_fink_science_is_not_installed(examples):
    made = examples[5]["MODULE"]

    assert fault_in(made) == ""
    assert made.inputs == ("lc_features_g", "lc_features_r")


def test_the_contributors_survey_is_one(examples):
    survey = examples[6]["Sketch"]()

    assert survey.night_of_topic(survey.topics(Night("2026-03-01"))[0]) == Night("2026-03-01")
    assert survey.night_rule.night(60000.5) == Night("2023-02-25")
    assert "science_alerts" in tables(survey)
    assert [table.name for table in archive_tables(survey, [("roid", "int")])] == ["sketch"]
    assert merged_schema(survey, [])["fields"]
