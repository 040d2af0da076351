"""Every setting of the platform, read once at the edge.

Commands and resources call :func:`load_settings`; everything below receives the frozen object, and nothing else in
``fink_dagster`` reads the environment. Only the registries of science modules and of filters, which have no caller that
could hand it over, ask for themselves, once in a process. A setting ``kafka_port`` is the variable ``FINK_KAFKA_PORT``;
members of a group are joined by two underscores, as in ``FINK_SURVEY_KAFKA__ADDRESS``. Secrets come from the
environment only.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from fink_dagster.errors import UserError

CHECKOUT = Path(__file__).resolve().parent.parent


class KafkaCluster(BaseModel):
    """How to reach one Kafka cluster.

    The survey's and ours are two independent groups of these; whichever has no address is the embedded broker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str | None = Field(None, description="bootstrap servers, host:port[,host:port]; unset: the embedded one")
    security_protocol: str = Field("PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="used when the protocol is a SASL one")
    username: str | None = Field(None, description="SASL user")
    password: SecretStr | None = Field(None, description="SASL password")
    group_prefix: str = Field("fink", description="prefix of consumer group names, where ACLs ask for one")


class Settings(BaseSettings):
    """The platform's settings, validated and immutable."""

    model_config = SettingsConfigDict(env_prefix="FINK_", env_nested_delimiter="__", frozen=True, extra="ignore")

    data: Path = Field(CHECKOUT / ".fink", description="all state: lake, catalog, checkpoints, servers, Dagster")
    cache: Path = Field(
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fink-dagster",
        description="jars, sample packets and indexes of catalogues, shared by checkouts",
    )
    catalogues: Path | None = Field(
        None, description="folder of the files of catalogues; unset: catalogues/ in the cache"
    )
    science_modules: Path | None = Field(
        None, description="folder of science modules of your own, one .py file each with MODULE or MODULES; unset: none"
    )
    filters: Path | None = Field(
        None, description="folder of filters of your own, one .py file each with FILTER or FILTERS; unset: none"
    )
    fink_filters: str | None = Field(
        None, description="filters of fink-filters that run unmodified: all, or names joined by commas; unset: none"
    )
    survey: str = Field("ztf", description="survey a command means when it does not say one")

    survey_kafka: KafkaCluster = Field(KafkaCluster(), description="where alerts come from; never written to")
    distribution_kafka: KafkaCluster = Field(KafkaCluster(), description="where user topics are")
    topic_partitions: int = Field(4, gt=0, description="partitions of a new user topic")
    topic_replication: int | None = Field(
        None, gt=0, description="copies of a new user topic, on as many brokers; unset: the broker's own default"
    )
    topic_retention_days: float = Field(7.0, gt=0, description="how long user topics keep a message")
    transfer_retention_days: float = Field(7.0, gt=0, description="how long a data transfer can be fetched")
    new_user_password: SecretStr | None = Field(
        None, description="password `fink-dagster users add` gives; unset: one it makes and prints"
    )
    kafka_port: int = Field(19092, description="embedded Kafka, clients")
    kafka_controller_port: int = Field(19093, description="embedded Kafka, controller")

    hbase_address: str | None = Field(None, description="host:port of an HBase Thrift server; unset: the embedded one")
    hbase_port: int = Field(19090, description="embedded HBase, Thrift")
    hbase_zookeeper_port: int = Field(19181, description="embedded HBase, ZooKeeper")
    hbase_master_port: int = Field(19600, description="embedded HBase, master")
    hbase_regionserver_port: int = Field(19602, description="embedded HBase, region server")
    hbase_zookeeper_address: str | None = Field(
        None, description="host:port[,host:port] of that HBase's ZooKeeper; unset: the embedded one"
    )
    hbase_regions: int = Field(1, ge=1, le=1000, description="regions a new HBase table is split into")

    dagster_port: int = Field(3000, description="Dagster webserver")
    code_server_port: int = Field(19300, description="Dagster code server")

    spark_master: str = Field("local[2]", description="where Spark runs")
    spark_driver_memory: str = Field("2g", description="heap of the Spark driver")
    lake_catalog: str | None = Field(
        None, description="JDBC URI of the Iceberg catalog; unset: SQLite in the data folder"
    )
    lake_warehouse: str | None = Field(None, description="location of the tables; unset: lake/ in the data folder")

    trigger_seconds: float = Field(2.0, gt=0, description="shortest time between two micro-batches of a stage")
    max_offsets_per_trigger: int = Field(10_000, gt=0, description="messages in a micro-batch of stream2raw, at most")
    max_message_bytes: int = Field(4_194_304, gt=0, description="a longer message goes to quarantine unread")
    drain_grace_seconds: float = Field(3.0, ge=0, description="how long a night must stay drained before it closes")
    filter_share_limit: float = Field(
        0.05, gt=0, le=1, description="share of the alerts a filter may pass in its trials and still be activated"
    )

    @field_validator("hbase_regions")
    @classmethod
    def _zookeeper_is_known(cls, regions: int, others: ValidationInfo) -> int:
        if regions > 1 and others.data.get("hbase_address") and not others.data.get("hbase_zookeeper_address"):
            message = "more than 1 with FINK_HBASE_ADDRESS needs FINK_HBASE_ZOOKEEPER_ADDRESS too"
            raise ValueError(message)
        return regions

    @property
    def survey_kafka_address(self) -> str:
        """Bootstrap servers of the survey's Kafka, or of the embedded broker standing in for it."""
        return self.survey_kafka.address or self.embedded_kafka_address

    @property
    def distribution_kafka_address(self) -> str:
        """Bootstrap servers of the Kafka users read from, or of the embedded broker standing in for it."""
        return self.distribution_kafka.address or self.embedded_kafka_address

    @property
    def embedded_kafka_address(self) -> str:
        """``host:port`` of the embedded broker."""
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def embedded_kafka_is_secured(self) -> bool:
        """Whether the embedded broker asks for a user: where it is the Kafka users read from, and that is to ask."""
        return self.distribution_kafka.address is None and self.distribution_kafka.security_protocol != "PLAINTEXT"

    @property
    def embedded_kafka(self) -> KafkaCluster:
        """How the embedded broker is spoken to."""
        return self.distribution_kafka if self.embedded_kafka_is_secured else KafkaCluster()

    @property
    def survey_cluster(self) -> KafkaCluster:
        """How the survey's Kafka is spoken to; the embedded broker has one security for both it stands in for."""
        stands_in = self.survey_kafka.address is None and self.embedded_kafka_is_secured
        return self.embedded_kafka if stands_in else self.survey_kafka

    @property
    def hbase(self) -> tuple[str, int]:
        """Host and port of the HBase Thrift server in use."""
        host, _, port = (self.hbase_address or f"127.0.0.1:{self.hbase_port}").rpartition(":")
        return host, int(port)

    @property
    def hbase_zookeeper(self) -> str:
        """``host:port[,host:port]`` of the ZooKeeper of the HBase in use."""
        return self.hbase_zookeeper_address or f"127.0.0.1:{self.hbase_zookeeper_port}"

    @property
    def dagster_home(self) -> Path:
        """Where Dagster keeps its storage."""
        return self.data / "dagster"

    @property
    def catalog_file(self) -> Path:
        """The SQLite catalog used when no other is set."""
        return self.data / "catalog.db"

    @property
    def warehouse(self) -> str:
        """Location of the Iceberg tables."""
        return self.lake_warehouse or str(self.data / "lake")

    @property
    def catalogue_folder(self) -> Path:
        """Where the files of catalogues are."""
        return self.catalogues or self.cache / "catalogues"

    @property
    def catalogue_indexes(self) -> Path:
        """Where their indexes are kept, which are made from them; the folder itself may be read-only."""
        return self.cache / "catalogue-indexes"

    def checkpoints(self, survey: str, night: str) -> Path:
        """Return the folder of one night's checkpoints and its lock."""
        return self.data / "checkpoints" / survey / night

    def environment(self) -> dict[str, str]:
        """Return the environment of a child that is to read these very settings, but for a new user's password."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_variable_names())}
        return inherited | _variables("FINK_", self.model_copy(update={"new_user_password": None}))


def harmless_environment() -> dict[str, str]:
    """Return what of the environment a child process may know that runs anybody's code: no setting, no secret."""
    return {name: os.environ[name] for name in _HARMLESS if name in os.environ}


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    UserError
        When a variable has a value its setting does not admit; every such variable is named.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"FINK_{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        message = f"settings: {wrong}; correct the environment and try again"
        raise UserError(message) from None
    folders = {name: getattr(settings, name) for name in ("data", "cache", "catalogues", "science_modules", "filters")}
    return settings.model_copy(
        update={name: folder.expanduser().absolute() for name, folder in folders.items() if folder is not None}
    )


_HARMLESS = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ")


def _variable_names() -> tuple[str, ...]:
    return tuple(f"FINK_{name.upper()}" for name in Settings.model_fields)


def _variables(prefix: str, group: BaseModel) -> dict[str, str]:
    variables: dict[str, str] = {}
    for name, value in group:
        if isinstance(value, BaseModel):
            variables |= _variables(f"{prefix}{name.upper()}__", value)
        elif value is not None:
            variables[prefix + name.upper()] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return variables
