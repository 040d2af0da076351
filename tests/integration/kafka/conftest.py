"""A broker that asks for a user, with the names and passwords of these tests."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from fink_dagster.local import kafka
from fink_dagster.settings import KafkaCluster
from tests.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fink_dagster.settings import Settings

PLATFORM = 'pl4tform "pass\\word'  # with what would end a value in a JAAS line or begin an option


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a running broker that asks for a user; the platform's is fink."""
    ours = KafkaCluster(security_protocol="SASL_PLAINTEXT", username="fink", password=SecretStr(PLATFORM))
    made = settings_in(tmp_path_factory.mktemp("secured"), distribution_kafka=ours)
    try:
        kafka.start(made)
        yield made
    finally:
        kafka.stop(made)
        shutil.rmtree(made.data, ignore_errors=True)
