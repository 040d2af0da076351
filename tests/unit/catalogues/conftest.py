from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalogues import GCVS, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of catalogues with GCVS in it."""
    made = tmp_path / "catalogues"
    made.mkdir()
    written(made / "gcvs.parquet", GCVS)
    return made
