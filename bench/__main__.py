"""``python -m bench``: arguments, the order of the rounds, and printing. What a round does is in ``measures``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.measures import MEASURES, Task
from bench.messages import messages, source, templates
from bench.report import cores, report, show, write
from bench.science import science
from bench.servers import servers
from fink_dagster.cli import run
from fink_dagster.errors import UserError
from fink_dagster.kafka.clients import survey_client
from fink_dagster.kafka.topics import ensure_topic
from fink_dagster.local.jars import ensure_jars
from fink_dagster.local.progress import counted, waiting
from fink_dagster.replay.delivery import Delivery
from fink_dagster.settings import CHECKOUT, load_settings
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql import SparkSession

    from bench.messages import Template
    from fink_dagster.settings import Settings

NIGHT = Night("2024-05-05")
WARM_UP = "warm_up"
RESULT = CHECKOUT / "bench" / "results" / "latest.json"
_NAMES = (*MEASURES, science.__name__)
_ALL = ",".join(_NAMES)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    number: Annotated[int, typer.Option("--messages", min=1, help="Messages each round takes in.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measure, after a warm-up.")] = 3,
    only: Annotated[str, typer.Option(help=f"Some of {_ALL}, joined by commas.", show_default="all")] = _ALL,
    out: Annotated[Path, typer.Option(help="Where the JSON report goes.", show_default=False)] = RESULT,
) -> None:
    """Measure how many alerts a second this machine takes in, and compare with the original's way.

    Kafka and HBase of its own are started and removed; a full run takes some 12 minutes and 4 GB of disk. Exits with 0
    also when a target is missed: that is a result.

    Example: python -m bench --messages 2000 --rounds 1 --only kafka_read,stream2raw
    """
    names = _chosen(only)
    settings = load_settings()
    load = os.getloadavg()[0]
    if load > cores() / 4:
        typer.echo(f"bench: the machine must be idle; its load is {load:.1f} already; expect figures that are too low")
    survey, tarball = ZTF(), source(settings)
    with waiting(f"reading {tarball.name}"):
        taken = templates(tarball, survey)
    typer.echo(f"messages are made from the {len(taken)} packets of {tarball.name}")
    rates = _measured(settings, taken, [name for name in names if name in MEASURES], rounds, number)
    about: dict[str, dict[str, Any]] = {}
    if science.__name__ in names:
        with waiting("science modules, each alone and all together"):
            rates[science.__name__], about[science.__name__] = science([each.alert for each in taken], settings, rounds)
    found = report(rates, settings, number, load, about=about)
    write(found, out)
    show(found)
    typer.echo(f"written to {out.name}; a missed target is a result, not an error")


def _chosen(only: str) -> list[str]:
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in _NAMES]
    if unknown or not names:
        got = unknown[0][:40] if unknown else ""
        message = f"bench: --only must name some of {_ALL}; got {got!r}; see python -m bench --help"
        raise UserError(message)
    return [name for name in _NAMES if name in names]


def _measured(
    settings: Settings, taken: Sequence[Template], names: Sequence[str], rounds: int, number: int
) -> dict[str, list[float]]:
    """Return the rates of measures that need servers [alerts/s], one a round."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    if not names:
        return rates
    ensure_jars(settings, typer.echo)
    with servers(settings) as (own, spark):
        _send(own, taken, NIGHT, number)
        for name, task in _tasks(spark, own, names, rounds, number):
            with waiting(f"{name}, {task.name}"):
                rate = task.number / MEASURES[name](task)
            typer.echo(f"{task.name}: {rate:,.0f} alerts/s")
            if not task.name.startswith(WARM_UP):
                rates[name].append(rate)
    return rates


def _send(settings: Settings, taken: Sequence[Template], night: Night, number: int) -> None:
    """Send messages of a night to its topic, spread over the partitions as the survey's are."""
    survey, config = ZTF(), survey_client(settings)
    (topic,) = survey.topics(night)
    partitions, sent = ensure_topic(config, topic, survey.topic_partitions), 0
    with counted(f"sending to {topic}", number, lambda: sent), Delivery(config, lambda: None) as delivery:
        for sent, message in enumerate(messages(taken, night, survey.night_rule.zero, number), start=1):
            delivery.send(topic, sent % partitions, message, [])
        delivery.finish()


def _tasks(
    spark: SparkSession, settings: Settings, names: Sequence[str], rounds: int, number: int
) -> Iterator[tuple[str, Task]]:
    """Yield the measures in turn, so that what else the machine does hits all alike, each at first as a warm-up."""
    for turn in (WARM_UP, *(f"round_{place}" for place in range(1, rounds + 1))):
        for name in names:
            yield name, Task(spark, settings, NIGHT, number, f"{turn}_{name}")


def main() -> None:
    """Run the benchmark."""
    run(app)


if __name__ == "__main__":
    main()
