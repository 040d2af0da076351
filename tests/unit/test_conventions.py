"""House rules that a machine can hold; each test names the offenders it found."""

from __future__ import annotations

import ast
import fnmatch
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("fink_dagster", "assets", "sensors", "resources", "expectations")
SURVEY_BLIND = ("fink_dagster/stages", "fink_dagster/lake", "fink_dagster/accounts", "fink_dagster/streams", "assets")
A_SURVEYS_OWN = re.compile(r"\b(ztf|rubin|lsst|candid|objectid|diasource\w*|diaobject\w*)\b", re.IGNORECASE)
MOST_LINES = 350
NOT_FOR_OTHERS = {
    "the address of a package index": re.compile(
        r"https?://[^\s\"']*/(simple|maven2)\b|--(extra-)?index[-]url|--find[-]links"
    ),
    "a path of somebody's machine": re.compile(r"(?<![\w.-])/(home|root|work)/\w"),
}


def modules() -> list[Path]:
    return sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def files_of_the_repository() -> Iterator[Path]:
    """Every file git would see: what .gitignore names is left out."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.strip()] + [".git"]
    folders = [ROOT]
    while folders:
        for entry in folders.pop().iterdir():
            if any(fnmatch.fnmatch(entry.name, pattern) for pattern in ignored):
                continue
            if entry.is_dir():
                folders.append(entry)
            else:
                yield entry


def strings_and_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string and name of a module's code; strings that stand alone are prose and left out."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.alias):
            yield node.lineno, node.name


def reads_of_the_environment(tree: ast.Module) -> Iterator[int]:
    """Lines that use ``os.environ`` or ``os.getenv`` for anything but handing a variable to a child."""
    handed_on = {
        id(target.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript)
    }
    for node in ast.walk(tree):
        asks = isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv")
        if asks and id(node) not in handed_on:
            yield node.lineno


def test_every_module_opens_with_its_purpose():
    silent = [named(file) for file in modules() if not ast.get_docstring(ast.parse(file.read_text()))]

    assert silent == []


def test_no_module_is_too_long_to_do_one_thing():
    long = {named(file): len(file.read_text().splitlines()) for file in modules()}

    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_the_library_loads_no_dagster():
    library = [dotted(file) for file in modules() if named(file).startswith("fink_dagster/")]
    library.remove("fink_dagster.definitions")
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {library!r}]; "
        "print(sorted({name.partition('.')[0] for name in sys.modules if name.startswith('dagster')}))"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_what_serves_all_surveys_names_none():
    files = [file for file in modules() if named(file).startswith(SURVEY_BLIND)]
    found = [
        f"{named(file)}:{line}: {text}"
        for file in files
        for line, text in strings_and_names(ast.parse(file.read_text()))
        if A_SURVEYS_OWN.search(text)
    ]

    assert found == []


def test_settings_alone_read_the_environment():
    library = [file for file in modules() if named(file) != "fink_dagster/settings.py"]
    found = [
        f"{named(file)}:{line}" for file in library for line in reads_of_the_environment(ast.parse(file.read_text()))
    ]

    assert found == []


def test_the_workspace_names_a_module_that_exists():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    names = [entry["python_module"]["module_name"] for entry in workspace["load_from"]]

    assert names
    assert [name for name in names if importlib.util.find_spec(name) is None] == []


def test_no_file_tells_where_it_was_written():
    found = []
    for file in files_of_the_repository():
        text = file.read_text(encoding="utf-8", errors="ignore")
        for line, content in enumerate(text.splitlines(), start=1):
            found += [f"{named(file)}:{line}: {what}" for what, sign in NOT_FOR_OTHERS.items() if sign.search(content)]

    assert found == []


def test_the_lock_pins_every_package_with_hashes_and_names_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    lines = [line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines))
    pinned = re.compile(r"[\w.\[\]-]+==[^\s;]+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n?)+")

    assert len(entries) > 50
    assert [entry.splitlines()[0] for entry in entries if not pinned.fullmatch(entry)] == []
    assert "://" not in lock
