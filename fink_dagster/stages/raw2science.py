"""raw2science: of a night's raw alerts, the duplicates, the rejected, and the rest with what the science modules add.

The cuts are the survey's, the modules the registry's. Every raw alert goes to exactly one of three tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fink_dagster import __version__
from fink_dagster.science.crossmatch import with_catalogues
from fink_dagster.science.registry import modules_for, refused_for, science_version
from fink_dagster.science.switches import Switches
from fink_dagster.stages.fitting import fitting, with_columns_of
from fink_dagster.stages.modules import added_by_modules, tallies_in
from fink_dagster.stages.stage import now, rest_of
from fink_dagster.surveys.avro import by_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.accumulators import Accumulator
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

    from fink_dagster.science.module import Module
    from fink_dagster.stages.modules import Tallies
    from fink_dagster.stages.stage import Batch, NightContext
    from fink_dagster.surveys.base import Cut

NAME = "raw2science"
PUBLISHER = "Fink"
MODULES_OFF = "science_modules_off"
OUTCOMES = ("science_alerts", "rejected", "duplicates")


class Raw2Science:
    """The stage for one night.

    Parameters
    ----------
    context : NightContext
        The night and what to work with.
    """

    name = NAME

    def __init__(self, context: NightContext) -> None:
        self.context = context
        self._held = context.lake.read("science_alerts").schema
        self._modules, unfit = modules_of(context, self._held)
        self._refused = {entry.where: entry.why for entry in refused_for(by_place(context.survey.alert_schema))}
        self._refused |= {f"science module {name}": why for name, why in unfit.items()}
        self._tallies = tallies_in(context.spark)
        self._switches = Switches()
        self._failed: dict[str, str] = {}

    @property
    def troubles(self) -> dict[str, str]:
        """Modules that do not run, those that failed in the newest batch, and those that are off now."""
        said = self._failed | self._switches.off()
        return self._refused | {f"science module {name}": why for name, why in said.items()}

    @property
    def measures(self) -> dict[str, int]:
        """How many modules are off now."""
        return {MODULES_OFF: len(self._switches.off())}

    def source(self) -> DataFrame:
        """Return the night's raw alerts, whatever topic they came from."""
        return self.context.lake.stream("raw_alerts", self.context.night.key)

    def has_rows(self) -> bool:
        """Tell whether alerts of the night have been through this stage."""
        return any(self.context.lake.reader.count_night(table, self.context.night.key) for table in OUTCOMES)

    def process(self, rows: DataFrame, batch: Batch) -> None:
        """Write one batch of raw alerts to science_alerts, rejected and duplicates."""
        lake = self.context.lake
        rows, append = rest_of(lake, rows, batch, NAME, OUTCOMES, f"night = '{self.context.night.key}'")
        judged = rows.withColumn("reason", rejection(self.context.survey.cuts))
        there = {(row.is_duplicate, row.rejected) for row in _outcomes(judged).collect()}
        if any(is_duplicate for is_duplicate, _ in there):
            lake.append("duplicates", judged.where("is_duplicate"), append)
        if (False, True) in there:
            lake.append("rejected", judged.where("NOT is_duplicate AND reason IS NOT NULL"), append)
        if (False, False) in there:
            good = judged.where("NOT is_duplicate AND reason IS NULL")
            science = enriched(good, self._modules, self._tallies, self._switches.off())
            lake.append("science_alerts", with_columns_of(self._held, science), append)
            self._learn()

    def _learn(self) -> None:
        """Take note of what the workers said of the modules in a batch."""
        tallies, self._tallies.value = self._tallies.value, {}
        self._switches.learn(tallies)
        self._failed = {name: tally.text for name, tally in tallies.items() if tally.text}

    def close(self) -> None:
        """Nothing is held."""


def modules_of(context: NightContext, held: StructType) -> tuple[list[Module], dict[str, str]]:
    """Return the modules that can write their columns into science_alerts, with their catalogues; why others cannot.

    Parameters
    ----------
    context : NightContext
        Whose modules, and where catalogues are.
    held : StructType
        The table's columns.
    """
    able, unfit = fitting(modules_for(by_place(context.survey.alert_schema)), held)
    settings = context.settings
    return with_catalogues(able, settings.catalogue_folder, settings.catalogue_indexes), unfit


def rejection(cuts: Sequence[Cut]) -> Column:
    """Return the reason of the first cut an alert fails, in the survey's order, or null when it passes all."""
    from pyspark.sql import functions as F

    reason = F.lit(None).cast("string")
    for cut in reversed(cuts):
        reason = F.when(holds(F.col(cut.field), cut), reason).otherwise(F.lit(cut.reason))
    return reason


def holds(value: Column, cut: Cut) -> Column:
    """Return whether a value passes a cut; a null or a NaN does not."""
    from pyspark.sql import functions as F

    passes = {"==": value == cut.value, "!=": value != cut.value, ">=": value >= cut.value}[cut.operator]
    return F.coalesce(passes & ~F.isnan(value.cast("double")), F.lit(False))


def enriched(
    alerts: DataFrame, modules: Sequence[Module], tallies: Accumulator[Tallies], off: Mapping[str, str]
) -> DataFrame:
    """Return alerts with versions, timestamps (UTC) and what science modules add."""
    from pyspark.sql import functions as F

    stamped = alerts.withColumns(
        {
            "brokerStartProcessTimestamp": now("partition"),
            "fink_broker_version": F.lit(__version__),
            "fink_science_version": F.lit(science_version()),
            "publisher": F.lit(PUBLISHER),
        }
    )
    return added_by_modules(stamped, modules, tallies, off)


def _outcomes(judged: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return judged.select("is_duplicate", F.col("reason").isNotNull().alias("rejected")).distinct()
