"""Tables that are split into regions when they are created: where, and by what.

HBase's Thrift interface creates a table in one region, which all of a night would be put into; its own Java client can
split one at once. That client is used for nothing else. Which keys a table is about to get is said by who asks.
"""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from fink_dagster.errors import TransientError
from fink_dagster.hbase.connection import FAMILY, Address, answering, connect
from fink_dagster.local.jars import jar_paths
from fink_dagster.local.java import java_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fink_dagster.hbase.tables import Table
    from fink_dagster.settings import Settings

CREATE_SECONDS = 300.0  # some ten on two busy cores
_PROGRAM = Path(__file__).with_name("CreateTables.java")
# Compiled once and run once: the optimising compiler would cost more than it saves.
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true")


def splits_for(keys: Iterable[bytes], regions: int) -> list[bytes]:
    """Return the keys a table is split at, so that these keys are spread evenly over its regions.

    Parameters
    ----------
    keys : iterable of bytes
        A fair sample of the row keys to come.
    regions : int
        How many regions, at least 1; there are no more than distinct keys.

    Examples
    --------
    >>> splits_for([b"d", b"a", b"c", b"b"], 2)
    [b'c']
    """
    ordered = sorted(set(keys))
    count = min(regions, len(ordered))
    return [ordered[place * len(ordered) // count] for place in range(1, count)]


def absent(address: Address, tables: Iterable[Table]) -> list[Table]:
    """Return those tables that HBase does not have.

    Raises
    ------
    TransientError
        When HBase does not answer.
    """
    with answering(address), closing(connect(*address)) as connection:
        there = set(connection.tables())
    return [table for table in tables if table.name.encode() not in there]


def create_split(settings: Settings, splits: Mapping[Table, Sequence[bytes]]) -> None:
    """Create tables that are split at keys; one that exists is left as it is.

    Parameters
    ----------
    settings : Settings
        Where ZooKeeper and HBase's jars are.
    splits : mapping
        Table -> keys it is split at.

    Raises
    ------
    TransientError
        When HBase did not create them in time; the same call again is right.
    OperationError
        When there is no Java, or HBase's jars are not in the cache.
    """
    options = [str(FAMILY[name]) for name in ("max_versions", "bloom_filter_type", "block_cache_enabled")]
    classes = ":".join(map(str, jar_paths(settings, "hbase")))
    command = [java_command(), *_JVM, "-cp", classes, str(_PROGRAM), settings.hbase_zookeeper, *options]
    lines = "".join(f"{_line(table, keys)}\n" for table, keys in splits.items())
    try:
        subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=CREATE_SECONDS)
    except subprocess.TimeoutExpired:
        raise _not_created(settings, f"none after {CREATE_SECONDS:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise _not_created(settings, _reason(error.stderr)) from None


def _line(table: Table, keys: Sequence[bytes]) -> str:
    return " ".join([table.name, ",".join(table.families), *(key.hex() for key in keys)])


def _not_created(settings: Settings, got: str) -> TransientError:
    return TransientError(
        f"hbase: tables must be created by way of ZooKeeper at {settings.hbase_zookeeper}; got {got}; "
        "check the address and try again"
    )


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if "Exception" in line or "rror:" in line]
    return (lines or ["an end without a reason"])[0][:200]
