"""HBase in a dictionary: rows, versions, and deletes, which hide what is not newer, also what is put later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from fink_dagster.hbase import amending, objects, writer


class FakeHBase:
    """Tables by name; each cell has one version, the newest put."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[bytes, dict[bytes, tuple[bytes, int]]]] = {}
        self.hidden: dict[tuple[str, bytes, bytes], int] = {}
        self.requests: list[str] = []
        self._allowed: int | None = None

    def cut_off_after(self, requests: int | None) -> None:
        """Let so many more requests through, and end the process that makes the next one."""
        self._allowed = requests

    def request(self, what: str) -> None:
        if self._allowed == 0:
            raise KeyboardInterrupt
        self._allowed = None if self._allowed is None else self._allowed - 1
        self.requests.append(what)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeHBase:
        """Take the place of the Thrift server for all who ask one."""
        for module in (amending, objects):
            monkeypatch.setattr(module, "connect", lambda *_: self)
        monkeypatch.setattr(writer, "Connection", lambda *_, **__: self)
        return self

    def close(self) -> None:
        """A connection is closed; nothing is lost."""

    def table(self, name: str) -> _Table:
        return _Table(self, name, self.cells.setdefault(name, {}))

    def put(self, name: str, key: bytes, cells: dict[bytes, bytes], version: int) -> None:
        row = self.cells.setdefault(name, {}).setdefault(key, {})
        for cell, value in cells.items():
            newest = max(self.hidden.get((name, key, cell), -1), row.get(cell, (b"", -1))[1] - 1)
            if version > newest:
                row[cell] = (value, version)
        if not row:
            del self.cells[name][key]

    def delete(self, name: str, key: bytes, cells: Iterable[bytes] | None, version: int) -> None:
        row = self.cells.get(name, {}).get(key, {})
        for cell in list(cells or row):
            self.hidden[name, key, cell] = version
            if row.get(cell, (b"", version + 1))[1] <= version:
                del row[cell]
        if not row:
            self.cells.get(name, {}).pop(key, None)


class _Table:
    def __init__(self, hbase: FakeHBase, name: str, held: dict[bytes, Any]) -> None:
        self._hbase, self._name, self._held = hbase, name, held

    def rows(self, keys: list[bytes], include_timestamp: bool = False) -> list[tuple[bytes, Any]]:
        self._hbase.request(f"read {self._name}")
        found = [(key, dict(self._held[key])) for key in keys if key in self._held]
        if include_timestamp:
            return found
        return [(key, {cell: value for cell, (value, _) in cells.items()}) for key, cells in found]

    def batch(self, timestamp: int) -> _Batch:
        return _Batch(self._hbase, self._name, timestamp)


class _Batch:
    def __init__(self, hbase: FakeHBase, name: str, version: int) -> None:
        self._hbase, self._name, self._version = hbase, name, version
        self._acts: list[tuple[str, bytes, Any]] = []

    def put(self, key: bytes, cells: dict[bytes, bytes]) -> None:
        self._acts.append(("put", key, cells))

    def delete(self, key: bytes, cells: Iterable[bytes] | None = None) -> None:
        self._acts.append(("delete", key, cells))

    def send(self) -> None:
        kinds = {kind for kind, *_ in self._acts}
        assert len(kinds) == 1, "put and delete share a request"
        self._hbase.request(f"{kinds.pop()} {self._name}")
        for kind, key, cells in self._acts:
            getattr(self._hbase, kind)(self._name, key, cells, self._version)
