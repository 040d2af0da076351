"""The Spark configuration of the platform: catalog, jars, loopback, limits. No session is built here.

``resources/spark.py`` builds the session for Dagster; a notebook can do ``session(settings)``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fink_dagster.local.jars import jar_paths

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

CATALOG = "fink"

_JVM_OPTIONS = (
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+UseParallelGC",
    "-Duser.timezone=UTC",
    # A damaged length inside an alert must be an error of that alert, not an allocation of 2 GiB.
    "-Dorg.apache.avro.limits.bytes.maxLength=8388608",
    "-Dorg.apache.avro.limits.string.maxLength=1048576",
    "-Dorg.apache.avro.limits.collectionItems.maxLength=100000",
)


def catalog_uri(settings: Settings) -> str:
    """Return the JDBC URI of the Iceberg catalog.

    SQLite stands in WAL mode and waits for a lock, since compaction and backfill commit from other processes.
    """
    return settings.lake_catalog or f"jdbc:sqlite:{settings.catalog_file}?journal_mode=WAL&busy_timeout=30000"


def spark_config(settings: Settings, app_name: str = "fink") -> dict[str, str]:
    """Return the Spark properties of a session of ours.

    Raises
    ------
    OperationError
        When the jars are not there yet.
    """
    catalog = f"spark.sql.catalog.{CATALOG}"
    return {
        "spark.app.name": app_name,
        "spark.master": settings.spark_master,
        "spark.jars": ",".join(str(path) for path in jar_paths(settings, "spark")),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": " ".join(_JVM_OPTIONS),
        # Spark would listen on the machine's outer address otherwise.
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(settings.data / "tmp"),
        "spark.scheduler.mode": "FAIR",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(settings.data / "tmp" / "warehouse"),
        "spark.sql.streaming.checkpoint.fileChecksum.enabled": "true",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Stamps are 50 kB an alert: default batches of 10,000 and 4,096 rows would be half a gigabyte and 200 MB.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "500",
        "spark.sql.parquet.columnarReaderBatchSize": "500",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": catalog_uri(settings),
        f"{catalog}.warehouse": settings.warehouse,
        f"{catalog}.jdbc.schema-version": "V1",
        # Other processes commit too; a cached table would be read as it was.
        f"{catalog}.cache-enabled": "false",
    }


def use_this_python() -> None:
    """Make Spark's Python workers run this interpreter; PySpark takes it from the environment alone."""
    os.environ["PYSPARK_PYTHON"] = sys.executable


def session(settings: Settings, app_name: str = "fink") -> SparkSession:
    """Build (or get) a Spark session outside Dagster.

    Raises
    ------
    OperationError
        When the jars are not there yet.
    """
    from pyspark.sql import SparkSession

    settings.data.mkdir(parents=True, exist_ok=True)
    use_this_python()
    builder = SparkSession.builder
    for key, value in spark_config(settings, app_name).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
