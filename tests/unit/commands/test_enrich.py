"""``fink-dagster enrich`` as it is typed: what it says, what it exits with, what is there afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fink_dagster import cli
from fink_dagster.settings import CHECKOUT
from tests.own_modules import write


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FINK_CATALOGUES", str(tmp_path / "catalogues"))
    monkeypatch.chdir(tmp_path)


def _typed(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["fink-dagster", "enrich", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_night_becomes_three_files_and_a_summary(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sample_tarball: Path, tmp_path: Path
) -> None:
    assert _typed(monkeypatch, sample_tarball, "out.parquet", "--modules", "roid") == 0
    said = capsys.readouterr()
    assert said.out.startswith("read 30 alerts: science 20, rejected 10 (")
    assert "damaged 0; " in said.out
    assert "alerts/s\nwritten: out.parquet, out.rejected.parquet, out.quarantined.parquet\n" in said.out
    assert said.err == ""
    assert pq.read_table(tmp_path / "out.parquet").column_names[:4] == ["objectId", "candid", "nalerthist", "roid"]
    assert not (tmp_path / "data").exists()


def test_a_module_of_ones_own_that_is_refused_is_said_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    packets: list[bytes],
    tmp_path: Path,
    own_modules: Path,
) -> None:
    write(own_modules, "twice")
    (own_modules / "bad.py").write_text("import nothing_of_that_name")
    (tmp_path / "one.avro").write_bytes(packets[0])
    assert _typed(monkeypatch, "one.avro", "out.parquet", "--no-cuts") == 0
    assert (
        f"not run: science module bad ({own_modules / 'bad.py'}): must load; got ModuleNot" in capsys.readouterr().err
    )
    assert {"twice", "roid"} <= set(pq.read_table(tmp_path / "out.parquet").column_names)


def test_a_name_without_ending_is_a_folder_and_cuts_can_be_left_out(
    monkeypatch: pytest.MonkeyPatch, sample_tarball: Path, tmp_path: Path
) -> None:
    assert _typed(monkeypatch, sample_tarball, "out", "--no-cuts", "--modules", "nalerthist") == 0
    assert len(pq.read_table(tmp_path / "out" / "enriched.parquet")) == 30


def test_output_is_replaced_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sample_tarball: Path
) -> None:
    words = (sample_tarball, "out.parquet", "--modules", "roid")
    assert _typed(monkeypatch, *words) == 0
    assert _typed(monkeypatch, *words) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert _typed(monkeypatch, *words, "--overwrite") == 0


def test_damage_is_said_and_does_not_fail_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packets: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.avro").write_bytes(packets[0])
    for number in range(1, 13):
        (tmp_path / "in" / f"{number}.avro").write_bytes(packets[number][:-7])
    assert _typed(monkeypatch, "in", "out.parquet") == 0
    said = capsys.readouterr()
    assert "damaged: 1.avro, record 0: truncated: message: " in said.err
    assert "damaged: and 2 more; all are in the output" in said.err
    assert "damaged 12 (truncated 12)" in said.out
    assert len(pq.read_table("out.quarantined.parquet")) == 12


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("none.tar.gz", "out.parquet"), 2, "got nothing; check the path"),
        (("empty", "out.parquet"), 2, "must hold .avro files or .parquet files; got none"),
        (("placeholder.tar.gz", "out.parquet"), 2, "got a placeholder of 44 bytes"),
        (("hello.avro", "out.parquet"), 1, "nothing is written"),
        (("hello.avro", "out.parquet", "--modules", "nalerthits"), 2, "did you mean 'nalerthist'"),
        (("hello.avro", "out.parquet", "--survey", "zft"), 2, "did you mean 'ztf'"),
        (("hello.avro", "none/none/out.parquet"), 2, "must be in a folder that is there"),
        (("hello.avro", "hello.avro"), 2, "must be outside of what is read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    why: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "placeholder.tar.gz").write_bytes(b"x" * 44)
    (tmp_path / "hello.avro").write_bytes(b"hello")
    before = sorted(tmp_path.rglob("*"))
    assert _typed(monkeypatch, *words) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert why in said.err
    assert said.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_help_says_what_is_read_and_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert _typed(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    for what in ("INPUT", "OUTPUT", "--no-cuts", "rejected.parquet", "Example: fink-dagster enrich"):
        assert what in said


def test_it_starts_without_spark_or_a_server() -> None:
    program = (
        "import sys, fink_dagster.commands.enrich; "
        "print(sorted({'pyspark', 'pyiceberg', 'confluent_kafka', 'happybase', 'dagster'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
