"""Finding Java and its version.

Only the question which Java runs our servers; their options stand with each server.
"""

from __future__ import annotations

import re
import shutil
import subprocess

from fink_dagster.errors import OperationError

OLDEST_JAVA = 17  # Spark 4.1 and Kafka 4 are built for it
_WAY_OUT = "install a JDK 17 and put its java first on the PATH"


def java_command() -> str:
    """Return the path of ``java``.

    Raises
    ------
    OperationError
        When there is none on the PATH.
    """
    java = shutil.which("java")
    if java is None:
        message = f"java: version {OLDEST_JAVA} or newer must be installed; got none; {_WAY_OUT}"
        raise OperationError(message)
    return java


def java_version() -> int:
    """Return the major version of ``java``.

    Raises
    ------
    OperationError
        When there is no Java, or it does not say its version.
    """
    done = subprocess.run([java_command(), "-version"], capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if found is None:
        message = f"java: java -version must name a version; got none; {_WAY_OUT}"
        raise OperationError(message)
    return int(found[1])


def require_java() -> None:
    """Check that Java is new enough.

    Raises
    ------
    OperationError
        When it is absent or older than 17.
    """
    version = java_version()
    if version < OLDEST_JAVA:
        message = f"java: version {OLDEST_JAVA} or newer must be installed; got {version}; {_WAY_OUT}"
        raise OperationError(message)
