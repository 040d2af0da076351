"""The Spark session of a run, built before the step begins and stopped when it ends.

Built on dagster-pyspark's resource; not on its lazy one, whose session would be made inside the step, where PySpark
replaces the signal handler a cancelled run relies on.
"""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.
from typing import Any

import dagster as dg
from dagster_pyspark import PySparkResource
from dagster_pyspark.resources import spark_session_from_config
from pydantic import Field

from fink_dagster.lake.spark import spark_config, use_this_python
from fink_dagster.settings import load_settings


class SparkResource(PySparkResource):
    """A Spark session with the platform's configuration.

    Parameters
    ----------
    spark_config : dict
        Properties that differ from the platform's own.
    """

    spark_config: dict[str, Any] = Field(default_factory=dict)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Build the session; raises OperationError when the jars are not there."""
        settings = load_settings()
        settings.data.mkdir(parents=True, exist_ok=True)
        use_this_python()
        self._spark_session = spark_session_from_config({**spark_config(settings), **self.spark_config})
        self._spark_session.sparkContext.setLogLevel("ERROR")

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Stop the session, and with it the JVM's work."""
        if self._spark_session is not None:
            self._spark_session.stop()
