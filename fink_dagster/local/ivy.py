"""Fetching jars with the Ivy that ships inside pyspark.

Knows how Ivy is configured, run and read; which jars there must be, and whether they are the right ones, is known in
``jars``. Neither Maven nor Docker is needed, only Java.
"""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from fink_dagster.errors import OperationError, TransientError
from fink_dagster.local.java import java_command

if TYPE_CHECKING:
    from collections.abc import Iterable

_CENTRAL = '<ibiblio name="central" m2compatible="true" {poms}/>'
# Where the whole list is known, the modules are described here: Central is asked for the jars alone, and each that has
# arrived shows in the progress. Their sha-256 is checked by ``jars``.
_EXACT = """<dual name="central">
    <filesystem name="names"><ivy pattern="{names}/[organisation]/[module]-[revision].xml"/></filesystem>
    {central}
  </dual>"""
_INTERRUPTED = {-2, -15, 130, 143}
_SETTINGS = """<ivysettings>
  <property name="ivy.checksums" value=""/>
  <settings defaultResolver="central"/>
  <resolvers>
  {resolver}
  </resolvers>
</ivysettings>
"""
_NAME = '<ivy-module version="2.0"><info organisation={org} module={name} revision={version}/></ivy-module>\n'
_MODULE = """<ivy-module version="2.0">
  <info organisation="fink" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
{dependencies}
  </dependencies>
</ivy-module>
"""


@dataclass(frozen=True, order=True)
class Coordinate:
    """Name of one jar on Maven Central."""

    org: str
    name: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """Read ``org:name:version``."""
        org, name, version = text.split(":")
        return cls(org, name, version)


def fetch(coordinates: Iterable[Coordinate], work: Path, *, transitive: bool = False) -> list[Path]:
    """Fetch jars into ``work`` and return where they are, as ``work/jars/<org>/<name>/<version>/<file>``.

    What an interrupted call has left in ``work`` is used again.

    Parameters
    ----------
    coordinates : iterable of Coordinate
        The jars wanted.
    work : Path
        Folder of this call alone.
    transitive : bool
        Whether to fetch what the jars depend on as well.

    Raises
    ------
    TransientError
        When Maven Central did not give every jar, after three attempts.
    """
    coordinates = list(coordinates)
    work.mkdir(parents=True, exist_ok=True)
    resolver = _CENTRAL.format(poms="") if transitive else _name_all(coordinates, work)
    (work / "settings.xml").write_text(_SETTINGS.format(resolver=resolver))
    dependencies = "\n".join(f'    <dependency {_attributes(each)} conf="default->default"/>' for each in coordinates)
    (work / "ivy.xml").write_text(_MODULE.format(dependencies=dependencies))
    _run(work)
    return sorted((work / "jars").rglob("*.jar"))


def downloaded(work: Path) -> int:
    """Count the jars a call of :func:`fetch` in progress has downloaded so far."""
    return sum(1 for _ in (work / "cache").rglob("*.jar"))


def _name_all(coordinates: Iterable[Coordinate], work: Path) -> str:
    """Describe every module as one jar that depends on nothing, and return the resolver that believes it."""
    names = work / "names"
    for each in coordinates:
        file = names / each.org / f"{each.name}-{each.version}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        org, name, version = map(quoteattr, (each.org, each.name, each.version))
        file.write_text(_NAME.format(org=org, name=name, version=version))
    return _EXACT.format(
        names=escape(str(names)), central=_CENTRAL.format(poms='usepoms="false"').replace("central", "jars")
    )


def _attributes(coordinate: Coordinate) -> str:
    org, name, version = map(quoteattr, (coordinate.org, coordinate.name, coordinate.version))
    return f"org={org} name={name} rev={version}"


@retry(
    retry=retry_if_exception_type(TransientError),
    stop=stop_after_attempt(3),
    wait=wait_exponential(multiplier=2),
    reraise=True,
)
def _run(work: Path) -> None:
    command = [
        java_command(),
        f"-Divy.default.ivy.user.dir={work / 'ivy'}",
        *("-Xmx256m", "-XX:TieredStopAtLevel=1"),  # it lives for seconds
        "-jar",
        str(_ivy_jar()),
        *("-settings", str(work / "settings.xml"), "-ivy", str(work / "ivy.xml"), "-cache", str(work / "cache")),
        *("-confs", "default", "-warn"),
        *("-retrieve", str(work / "jars/[organisation]/[module]/[revision]/[artifact]-[revision].[ext]")),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode in _INTERRUPTED:
        message = "jars: the download must not be interrupted; got a signal; run make setup to go on"
        raise OperationError(message)
    if done.returncode != 0:
        message = f"jars: Maven Central must give every jar; got {_reason(done.stdout)}; try again"
        raise TransientError(message)


def _reason(output: str) -> str:
    lines = [line.strip(" :\t") for line in output.splitlines()]
    telling = [line for line in lines if "not found" in line or "Exception" in line or "download failed" in line]
    return (telling or lines or ["no answer"])[0]


def _ivy_jar() -> Path:
    spec = importlib.util.find_spec("pyspark")
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        for jar in Path(place, "jars").glob("ivy-*.jar"):
            return jar
    message = "jars: pyspark must hold its Ivy jar; got none; run make setup"
    raise OperationError(message)
