"""Filters as somebody else writes them: files of text."""

from __future__ import annotations

from pathlib import Path

HEAD = "from fink_dagster.filters.filter import Filter\nfrom fink_dagster.science.module import Limits\n"


def declared(name: str, /, **others: object) -> str:
    """Return the declaration of a filter that passes what is brighter than 17 mag; what is changed is given as code."""
    parts = {
        "name": repr(name),
        "inputs": "('candidate.magpsf',)",
        "predicate": "lambda magnitude: magnitude < 17",
        "description": "'Alerts brighter than 17 mag'",
        "owner": "'somebody'",
        "version": "'1'",
        **others,
    }
    return f"Filter({', '.join(f'{key}={code}' for key, code in parts.items())})"


def write(folder: Path, name: str, /, **others: object) -> Path:
    """Write a file with one filter."""
    file = folder / f"{name}.py"
    file.write_text(f"{HEAD}FILTER = {declared(name, **others)}\n")
    return file
