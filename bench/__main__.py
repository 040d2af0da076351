"""``python -m bench``: arguments, what is made before the rounds, their order, and printing.

What a measure does is in ``measures`` and ``outputs``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.measures import OF_MESSAGES
from bench.messages import messages, source, templates
from bench.outputs import OF_ALERTS
from bench.report import cores, report, show, write
from bench.science import science
from bench.servers import servers
from bench.stored import store
from bench.task import Task
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
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import SparkSession

    from bench.messages import Template
    from fink_dagster.settings import Settings

NIGHT = Night("2024-05-05")
NIGHT_OF_ALERTS = Night("2024-05-06")
MOST_STORED = 10_000
"""Messages whose science alerts are sent and archived: twice as many would take twice as long and say the same."""
WARM_UP = "warm_up"
RESULT = CHECKOUT / "bench" / "results" / "latest.json"
MEASURES = {**OF_MESSAGES, **OF_ALERTS}
_NAMES = (*MEASURES, science.__name__)
_ALL = ",".join(_NAMES)
_HOW_MANY = f"Messages each round takes in; science alerts are made from {MOST_STORED:,} of them at most."

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bench(
    number: Annotated[int, typer.Option("--messages", min=1, help=_HOW_MANY)] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each measure, after a warm-up.")] = 3,
    only: Annotated[str, typer.Option(help=f"Some of {_ALL}, joined by commas.", show_default="all")] = _ALL,
    out: Annotated[Path, typer.Option(help="Where the JSON report goes.", show_default=False)] = RESULT,
) -> None:
    """Measure how many alerts a second this machine takes in, and compare with the original's way.

    Kafka and HBase of its own are started and removed; a full run takes some 30 minutes and 4 GB of disk. Exits with 0
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
    rates, about = _measured(settings, taken, [name for name in names if name in MEASURES], rounds, number)
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
) -> tuple[dict[str, list[float]], dict[str, Mapping[str, Any]]]:
    """Return the rates of measures that need servers [alerts/s], one a round, and what else is to be said of them."""
    rates: dict[str, list[float]] = {name: [] for name in names}
    about: dict[str, Mapping[str, Any]] = {}
    if not names:
        return rates, about
    ensure_jars(settings, typer.echo)
    with servers(settings) as (own, spark):
        waits = _inputs(spark, own, taken, names, number)
        for name, turn in _turns(names, rounds):
            task = Task(spark, own, *waits[name], f"{turn}_{name}")
            with waiting(f"{name}, {turn}"):
                outcome = MEASURES[name](task)
            typer.echo(f"{task.name}: {outcome.rate:,.0f} alerts/s")
            about[name] = outcome.about
            if turn != WARM_UP:
                rates[name].append(outcome.rate)
    return rates, about


def _inputs(
    spark: SparkSession, settings: Settings, taken: Sequence[Template], names: Sequence[str], number: int
) -> dict[str, tuple[Night, int]]:
    """Make what the measures take in, no more than they need; return the night and how many, by measure."""
    waits = {name: (NIGHT, number) for name in names if name in OF_MESSAGES}
    if waits:
        _send(settings, taken, NIGHT, number)
    if len(waits) < len(names):
        fewer = min(number, MOST_STORED)
        _send(settings, taken, NIGHT_OF_ALERTS, fewer)
        with waiting("making science alerts"):
            stored = store(spark, settings, NIGHT_OF_ALERTS, fewer)
        typer.echo(f"{stored} of {fewer} messages became science alerts")
        waits |= {name: (NIGHT_OF_ALERTS, stored) for name in names if name in OF_ALERTS}
    return waits


def _send(settings: Settings, taken: Sequence[Template], night: Night, number: int) -> None:
    """Send messages of a night to its topic, spread over the partitions as the survey's are."""
    survey, config = ZTF(), survey_client(settings)
    (topic,) = survey.topics(night)
    partitions, sent = ensure_topic(config, topic, survey.topic_partitions), 0
    with counted(f"sending to {topic}", number, lambda: sent), Delivery(config, lambda: None) as delivery:
        for sent, message in enumerate(messages(taken, night, survey.night_rule.zero, number), start=1):
            delivery.send(topic, sent % partitions, message, [])
        delivery.finish()


def _turns(names: Sequence[str], rounds: int) -> Iterator[tuple[str, str]]:
    """Yield the measures in turn, so that what else the machine does hits all alike, each at first as a warm-up."""
    for turn in (WARM_UP, *(f"round_{place}" for place in range(1, rounds + 1))):
        for name in names:
            yield name, turn


def main() -> None:
    """Run the benchmark."""
    run(app)


if __name__ == "__main__":
    main()
