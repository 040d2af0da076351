"""Science modules as somebody else writes them: files of text."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
from fink_dagster.science.columns import numbers
from fink_dagster.science.module import Limits, Module, Output, Unavailable
"""


def declared(name: str, /, **others: object) -> str:
    """Return the declaration of a module that doubles the magnitude; what is changed is given as code."""
    parts = {
        "name": repr(name),
        "version": "'1'",
        "inputs": "('candidate.magpsf',)",
        "outputs": f"(Output({name!r}, 'double', 'mag', 'Twice the magnitude'),)",
        "function": "lambda magnitude: 2 * numbers(magnitude)",
        "owner": "'somebody'",
        **others,
    }
    return f"Module({', '.join(f'{key}={code}' for key, code in parts.items())})"


def write(folder: Path, name: str, /, **others: object) -> Path:
    """Write a file with one module."""
    file = folder / f"{name}.py"
    file.write_text(f"{HEAD}MODULE = {declared(name, **others)}\n")
    return file
