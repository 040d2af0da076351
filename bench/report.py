"""What came out: medians and spread, the ratios and whether each target is met, as a table and as JSON.

A ratio is taken within each round, and then the median of the rounds: whatever else a machine does hits the measures of
one round alike, and the rounds not. No path and no name of a machine is written: the file may be shown to anybody.
"""

from __future__ import annotations

import json
import os
import platform as machine
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from rich.console import Console
from rich.table import Table

from fink_dagster import __version__
from fink_dagster.local.java import java_version
from fink_dagster.local.platform import embedded_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from fink_dagster.settings import Settings


class Spread(TypedDict):
    """Of some rounds."""

    median: float
    min: float
    max: float


@dataclass(frozen=True)
class Target:
    """What is looked at, a measure's rate or its ratio to another's, and what it must reach, if anything."""

    of: str
    to: str | None
    at_least: float | None = None

    @property
    def name(self) -> str:
        """What the report calls it."""
        return f"{self.of}/{self.to}" if self.to else f"{self.of} alerts/s"

    def ratio(self, rates: Mapping[str, Sequence[float]]) -> float | None:
        """Return the median of the rounds' ratios, or None when it is none or a part of it was not measured."""
        if self.to is None or not {self.of, self.to} <= set(rates):
            return None
        return median(of / to for of, to in zip(rates[self.of], rates[self.to], strict=True))


TARGETS = (
    Target("stream2raw", "udf_decode", 3.0),
    Target("stream2raw", "kafka_read", 0.35),
    Target("chain", None, 200.0),
    Target("science", None, 600.0),
    Target("distribution", "distribution_2"),
    Target("distribution_100", "distribution_2"),
    Target("archive", "hbase_put"),
)
"""Science runs on one core, without Spark; the others on all there are."""


def spread(rates: Sequence[float]) -> Spread:
    """Return median and extremes of some rates [alerts/s]."""
    return Spread(median=round(median(rates), 1), min=round(min(rates), 1), max=round(max(rates), 1))


def report(
    rates: Mapping[str, Sequence[float]],
    settings: Settings,
    messages: int,
    load: float,
    *,
    about: Mapping[str, Mapping[str, Any]] = {},
) -> dict[str, Any]:
    """Return what is written: a key per measure, the ratios, and what one must know to compare two reports.

    Parameters
    ----------
    rates : mapping
        Measure -> alerts per second, one a round.
    settings : Settings
        What the streams ran with.
    messages : int
        How many each round took in.
    load : float
        Processes that wanted a core before anything was started, averaged over a minute.
    about : mapping
        Measure -> what else is said of it, in numbers; ``modules`` become a table.
    """
    ratios = {target.name: target.ratio(rates) for target in TARGETS}
    return {
        **{name: {"alerts_per_s": spread(values), **about.get(name, {})} for name, values in rates.items()},
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items() if ratio is not None},
        "messages": messages,
        "rounds": max(map(len, rates.values()), default=0),
        "cores": cores(),
        "load_before": round(load, 2),
        "settings": {
            name: getattr(settings, name)
            for name in ("spark_master", "spark_driver_memory", "max_offsets_per_trigger", "trigger_seconds")
        },
        "versions": _versions(),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def write(found: Mapping[str, Any], path: Path) -> None:
    """Write the report, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def show(found: Mapping[str, Any]) -> None:
    """Print the report: what is said of measures, the rates, and the targets with what was reached."""
    console = Console()
    measures = {name: value for name, value in found.items() if _is_measure(value)}
    for name, value in measures.items():
        if "modules" in value:
            console.print(_modules(value))
        elif about := [f"{value[key]:g} {key.replace('_', ' ')}" for key in value if key != "alerts_per_s"]:
            console.print(f"{name}: {', '.join(about)}")
    measured = {name: value["alerts_per_s"] for name, value in measures.items()}
    title = f"{found['rounds']} rounds; {found['messages']} messages where Kafka is read"
    rates = Table(title=title, title_justify="left")
    for heading in ("alerts/s", *Spread.__annotations__):
        rates.add_column(heading, justify="left" if heading == "alerts/s" else "right")
    for name, values in measured.items():
        rates.add_row(name, *(f"{values[key]:,.0f}" for key in Spread.__annotations__))
    console.print(rates)
    targets = Table("target", "at least", "reached", "")
    for target in TARGETS:
        value = found["ratios"].get(target.name) if target.to else measured.get(target.of, {}).get("median")
        if value is not None:
            targets.add_row(target.name, *_judged(value, target.at_least))
    if targets.row_count:
        console.print(targets)


def _judged(value: float, at_least: float | None) -> tuple[str, str, str]:
    if at_least is None:
        return "", f"{value:.3g}", ""
    return f"{at_least:g}", f"{value:.3g}", "[green]met[/]" if value >= at_least else "[red]missed[/]"


def _modules(found: Mapping[str, Any]) -> Table:
    history, cost = found["history_median"], found["isolation_cost"]
    title = f"science modules, alerts/s and core; median history {history:.0f} points; processes cost {cost:.0%}"
    table = Table("module", title=title, title_justify="left")
    for heading in next(iter(found["modules"].values())):
        table.add_column(heading, justify="right")
    for name, rates in found["modules"].items():
        table.add_row(name, *("" if rate is None else f"{rate:,.0f}" for rate in rates.values()))
    table.add_row("all", "", f"{found['alerts_per_s']['median']:,.0f}")
    return table


def _is_measure(value: object) -> bool:
    return isinstance(value, dict) and "alerts_per_s" in value


def _versions() -> dict[str, str]:
    return {
        "fink-dagster": __version__,
        "python": machine.python_version(),
        "java": str(java_version()),
        "pyspark": version("pyspark"),
        "fastavro": version("fastavro"),
        "kafka": embedded_version("kafka_2.13"),
        "hbase": embedded_version("hbase-thrift"),
    }
