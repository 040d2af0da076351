"""Having exactly the locked jars in the cache, and saying where they are.

Which jars that are is read by ``jar_lock``, fetching them is done by ``ivy``; starting a JVM with them is done by
``kafka``, ``hbase`` and the Spark session. After the first call of :func:`ensure_jars` nothing here needs the network.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fink_dagster.errors import OperationError
from fink_dagster.local import ivy
from fink_dagster.local.exclusion import alone
from fink_dagster.local.jar_lock import ROOTS, Jar, read_lock, sha256_of, write_lock
from fink_dagster.local.java import require_java
from fink_dagster.local.progress import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from fink_dagster.settings import Settings

_WAY_OUT = "run make setup"


def jar_paths(settings: Settings, group: str) -> list[Path]:
    """Return where the jars of one group are.

    Raises
    ------
    OperationError
        When they were never fetched and verified, or one is gone.
    """
    folder = _folder(settings, group)
    jars = [jar for jar in read_lock() if jar.group == group]
    paths = [folder / jar.file for jar in jars]
    if not _stamp(folder, jars).exists():
        message = f"jars: the {group} jars must be in the cache; got none that are verified; {_WAY_OUT}"
        raise OperationError(message)
    absent = [path.name for path in paths if not path.exists()]
    if absent:
        message = f"jars: the {group} jars must be in the cache; got no {absent[0]}; {_WAY_OUT}"
        raise OperationError(message)
    return paths


def ensure_jars(settings: Settings, report: Callable[[str], object] = print) -> None:
    """Have every locked jar in the cache, fetching what is not there.

    Safe to interrupt and to repeat, also by two processes at once. Returns at once, without network, when all is there.

    Parameters
    ----------
    settings : Settings
        Says where the cache is.
    report : callable
        Receives one line per group that had to be fetched.

    Raises
    ------
    OperationError
        When Java is missing, Maven Central does not answer, or a jar is not the locked one.
    """
    if jars_ready(settings):
        return
    require_java()
    root = settings.cache / "jars"
    root.mkdir(parents=True, exist_ok=True)
    with alone(root / ".lock"):
        wanted = {group: _missing(settings, group) for group in ROOTS}
        _fetch_all(root, {group: jars for group, jars in wanted.items() if jars})
    for group in ROOTS:
        if wanted[group]:
            report(f"jars: {group}: {len(wanted[group])} fetched and verified")


def jars_ready(settings: Settings) -> bool:
    """Return whether every locked jar is in the cache."""
    try:
        for group in ROOTS:
            jar_paths(settings, group)
    except OperationError:
        return False
    return True


def _folder(settings: Settings, group: str) -> Path:
    return settings.cache / "jars" / group


def _stamp(folder: Path, jars: Iterable[Jar]) -> Path:
    """Return the file that says these jars were verified, so that 280 MB are not hashed at each start."""
    lines = "\n".join(jar.line() for jar in jars)
    return folder / f".verified-{hashlib.sha256(lines.encode()).hexdigest()[:16]}"


def _missing(settings: Settings, group: str) -> list[Jar]:
    folder = _folder(settings, group)
    return [jar for jar in read_lock() if jar.group == group and not _verified(folder / jar.file, jar)]


def _verified(path: Path, jar: Jar) -> bool:
    return path.exists() and sha256_of(path) == jar.sha256


def _fetch_all(root: Path, wanted: dict[str, list[Jar]]) -> None:
    total = sum(map(len, wanted.values()))
    works = {group: root / f".fetching-{group}" for group in wanted}
    with counted("jars", total, lambda: sum(map(ivy.downloaded, works.values()))), ThreadPoolExecutor() as pool:
        for fetched in [pool.submit(_fetch_group, root / group, works[group], jars) for group, jars in wanted.items()]:
            fetched.result()
    for work in works.values():
        shutil.rmtree(work)
    for group in ROOTS:
        _stamp(root / group, [jar for jar in read_lock() if jar.group == group]).touch()


def _fetch_group(folder: Path, work: Path, jars: list[Jar]) -> None:
    ivy.fetch((jar.coordinate for jar in jars), work)
    folder.mkdir(parents=True, exist_ok=True)
    for jar in jars:
        _take(jar, work, folder)


def _take(jar: Jar, work: Path, folder: Path) -> None:
    """Move one fetched jar to its folder, if it is the locked one."""
    named = jar.coordinate
    fetched = work / "jars" / named.org / named.name / named.version / jar.file
    got = sha256_of(fetched) if fetched.exists() else "no file"
    if got != jar.sha256:
        shutil.rmtree(work, ignore_errors=True)
        wanted = f"{jar.file} must have sha256 {jar.sha256[:12]}…; got {got[:12]}"
        message = f"jars: {wanted}; it was removed: run make setup again, and look at your network if it repeats"
        raise OperationError(message)
    fetched.replace(folder / jar.file)


if __name__ == "__main__":  # for maintainers, who have changed a root
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: python -m fink_dagster.local.jars lock")
    write_lock()
