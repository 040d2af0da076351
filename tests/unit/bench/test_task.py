"""What holds of every measure."""

from __future__ import annotations

import pytest

from bench.task import Outcome, must_be_all, must_not_fail, named
from fink_dagster.errors import OperationError
from fink_dagster.surveys.base import Night
from fink_dagster.surveys.ztf import ZTF


def test_a_round_has_a_name_of_its_own_and_reads_the_surveys_topics() -> None:
    night = Night("2024-05-05")
    assert named("round_1_chain").name == "round_1_chain"
    assert named("round_1_chain").topics(night) == ZTF().topics(night)
    assert ZTF().name == "ztf"


def test_a_rate_is_alerts_a_second() -> None:
    assert Outcome(500, 2.5).rate == 200


def test_a_measure_that_loses_an_alert_ends_the_benchmark() -> None:
    must_be_all("archive", 20, 20)
    with pytest.raises(OperationError, match="bench archive: must take in 20 alerts; got 19; its speed would mean"):
        must_be_all("archive", 20, 19)


def test_a_measure_that_had_to_try_again_ends_the_benchmark() -> None:
    must_not_fail({})
    with pytest.raises(OperationError, match=r"must get through at once; got .*HBase is away"):
        must_not_fail({"archive": "HBase is away"})
