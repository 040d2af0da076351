"""``fink-dagster replay``: an archive's alerts into the embedded Kafka.

Arguments, the progress bar and the last line; the work is done in ``fink_dagster.replay``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fink_dagster.local.progress import counted
from fink_dagster.replay import replay as replaying
from fink_dagster.replay.pace import pace_of
from fink_dagster.replay.sources import open_source, source_bytes
from fink_dagster.settings import load_settings
from fink_dagster.surveys import get_survey

_MIB = 1 << 20
_TOPICS_SHOWN = 3


class Speed(StrEnum):
    """How packets follow each other."""

    AS_IS = "as-is"
    ORIGINAL = "original"


def replay(
    path: Annotated[Path, typer.Argument(help="A survey tarball (.tar.gz), a folder of .avro files, or one of them.")],
    survey: Annotated[str | None, typer.Option(help="Whose alerts these are; default: FINK_SURVEY.")] = None,
    topic: Annotated[str | None, typer.Option(help="Send all there; default: the topic of each alert's night.")] = None,
    rate: Annotated[float | None, typer.Option(help="Packets a second, at most.")] = None,
    speed: Annotated[Speed, typer.Option(help="original: as far apart as the alerts' own times.")] = Speed.AS_IS,
    again: Annotated[bool, typer.Option("--again", help="Send also what the topic holds from this source.")] = False,
) -> None:
    """Send the alerts of an archive to the embedded Kafka, bytes unchanged.

    Run again, it sends only what is missing. Exits with 1 when a packet was not delivered.

    Example: fink-dagster replay ztf_public_20180819.tar.gz --rate 100
    """
    settings = load_settings()
    replaying.must_be_embedded(settings)
    pace_of(rate, original_speed=speed is Speed.ORIGINAL)
    whose = get_survey(survey or settings.survey)
    done = 0

    def read(size: int) -> None:
        nonlocal done
        done += size

    def dealt_with(packets: int) -> None:
        nonlocal done
        done = packets

    with counted(f"checking {path.name}, MiB", source_bytes(path) // _MIB, lambda: done // _MIB):
        source = open_source(path, read)
    done = 0
    with counted(f"sending {source.name}", source.total, lambda: done):
        result = replaying.replay(
            settings,
            whose,
            source,
            topic=topic,
            rate=rate,
            original_speed=speed is Speed.ORIGINAL,
            again=again,
            report=dealt_with,
        )
    typer.echo(f"sent {result.sent}, already there {result.skipped} -> {_listed(result.topics)}")


def _listed(topics: tuple[str, ...]) -> str:
    more = len(topics) - _TOPICS_SHOWN
    return ", ".join(topics[:_TOPICS_SHOWN]) + (f" and {more} more" if more > 0 else "")
