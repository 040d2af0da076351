"""Which jars the platform runs on: reading ``jars.lock``, and writing it anew.

The lock names every jar of three groups (Spark's connectors, the Kafka broker, HBase with its Thrift server) with its
sha-256. Having those jars on this machine belongs to ``jars``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fink_dagster.errors import OperationError
from fink_dagster.local import ivy
from fink_dagster.local.ivy import Coordinate

LOCK = Path(__file__).with_name("jars.lock")

# What the lock is resolved from. The versions are explained in docs/adr/0002-versions.md.
ROOTS = {
    "spark": (
        "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0",
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1",
        "org.apache.spark:spark-avro_2.13:4.1.1",
        "org.xerial:sqlite-jdbc:3.53.1.0",
    ),
    # Without a binding to log4j the broker's log vanishes.
    "kafka": ("org.apache.kafka:kafka_2.13:4.2.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3"),
    "hbase": ("org.apache.hbase:hbase-thrift:2.6.1",),
}
_FIELDS = "group org name version sha256"
_HEADER = f"# {_FIELDS}; written by python -m fink_dagster.local.jars lock\n"


@dataclass(frozen=True, order=True)
class Jar:
    """One line of the lock."""

    group: str
    coordinate: Coordinate
    sha256: str

    @property
    def file(self) -> str:
        """Name of the jar in its group's folder."""
        return f"{self.coordinate.name}-{self.coordinate.version}.jar"

    def line(self) -> str:
        """Return the jar as the lock writes it."""
        named = self.coordinate
        return f"{self.group} {named.org} {named.name} {named.version} {self.sha256}"


def read_lock(text: str | None = None) -> list[Jar]:
    """Return every jar of the lock, or of ``text`` written as it.

    Raises
    ------
    OperationError
        When a line does not name a group, a jar and its sha-256.
    """
    lines = (LOCK.read_text() if text is None else text).splitlines()
    return [_parse(line) for line in lines if line and not line.startswith("#")]


def write_lock(path: Path = LOCK) -> None:
    """Resolve the roots on Maven Central and write the lock anew.

    Raises
    ------
    TransientError
        When Maven Central does not answer.
    """
    shipped = _shipped_with_pyspark()
    jars = []
    for group, roots in ROOTS.items():
        with tempfile.TemporaryDirectory() as work:
            files = ivy.fetch(map(Coordinate.parse, roots), Path(work), transitive=True)
            found = [_locked(group, file) for file in files]
        jars += [jar for jar in found if group != "spark" or jar.coordinate.name not in shipped]
    path.write_text(_HEADER + "".join(f"{jar.line()}\n" for jar in jars))


def sha256_of(path: Path) -> str:
    """Return the sha-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parse(line: str) -> Jar:
    fields = line.split()
    if len(fields) != len(_FIELDS.split()) or fields[0] not in ROOTS:
        message = f"jars.lock: a line must be {_FIELDS}; got {line!r}; write the lock anew"
        raise OperationError(message)
    group, org, name, version, sha256 = fields
    return Jar(group, Coordinate(org, name, version), sha256)


def _locked(group: str, file: Path) -> Jar:
    return Jar(group, Coordinate(*file.parts[-4:-1]), sha256_of(file))


def _shipped_with_pyspark() -> set[str]:
    """Return the names of pyspark's own jars: a second copy of one on the class path is a clash."""
    spec = importlib.util.find_spec("pyspark")
    places = list(spec.submodule_search_locations or []) if spec else []
    return {jar.stem.rpartition("-")[0] for place in places for jar in Path(place, "jars").glob("*.jar")}
