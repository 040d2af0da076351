from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_dagster.enrich.sources import open_source
from fink_dagster.errors import UserError
from fink_dagster.surveys import get_survey
from tests.unit.enrich.conftest import table_of

ZTF = get_survey("ztf")


def test_a_folder_is_read_in_order_with_the_folders_in_it(tmp_path: Path) -> None:
    for name in ("b.avro", "a/c.avro", "a/.hidden.avro", "a/_temporary.avro", "readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    source = open_source(tmp_path, ZTF)
    assert [source.named(file) for file in source.files] == ["a/c.avro", "b.avro"]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ((), "must hold .avro files or .parquet files; got none"),
        (("a.txt",), "got none"),
        (("a.avro", "b.parquet"), "got both; name a folder with alerts of one kind"),
    ],
)
def test_a_folder_without_alerts_of_one_kind_is_refused(tmp_path: Path, names: tuple[str, ...], why: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=why):
        open_source(tmp_path, ZTF)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"source 'none.avro': must be a tarball, a folder or a file; got nothing"):
        open_source(tmp_path / "none.avro", ZTF)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alerts.csv").touch()
    with pytest.raises(UserError, match=r"must be a .tar.gz, .avro or .parquet file"):
        open_source(tmp_path / "alerts.csv", ZTF)


def test_parquet_without_the_alerts_fields_is_refused(tmp_path: Path, packets: list[bytes]) -> None:
    path = tmp_path / "features.parquet"
    pq.write_table(table_of(packets, "objectId", "candid"), path)
    with pytest.raises(UserError, match=r"must hold alerts of ztf; got no candidate.jd, candidate.fid, "):
        open_source(path, ZTF)


def test_a_candidate_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.parquet"
    pq.write_table(pa.table({"objectId": ["a"], "candid": [1], "candidate": [2.0]}), path)
    with pytest.raises(UserError, match=r"got no candidate.jd"):
        open_source(path, ZTF)


@pytest.mark.parametrize("data", [b"", b"PAR1 but no more PAR1", b"{}" * 100])
def test_what_is_only_called_parquet_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(UserError, match=r"source 'a.parquet': must be whole Parquet"):
        open_source(tmp_path / "a.parquet", ZTF)
