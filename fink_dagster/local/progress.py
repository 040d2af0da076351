"""Showing how far something long has come.

A bar on a terminal, nothing elsewhere: logs and pipes receive the one line per step that callers report themselves.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REFRESH_SECONDS = 0.5


@contextmanager
def counted(label: str, total: int, count: Callable[[], int]) -> Iterator[None]:
    """Show ``count()`` of ``total`` while the block runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with _bar(columns, total) as progress:
        task = progress.add_task(label, total=total)
        done = threading.Event()
        watcher = threading.Thread(target=_follow, args=(done, lambda: progress.update(task, completed=count())))
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            progress.update(task, completed=count())


@contextmanager
def waiting(label: str) -> Iterator[None]:
    """Show the time that passes while the block runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with _bar(columns, None) as progress:
        progress.add_task(label, total=None)
        yield


def _bar(
    columns: tuple[BarColumn | TextColumn | MofNCompleteColumn | TimeElapsedColumn, ...], total: int | None
) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal or total == 0)


def _follow(done: threading.Event, update: Callable[[], None]) -> None:
    while not done.wait(_REFRESH_SECONDS):
        update()
