"""The benchmark leaves alone what the settings point to."""

from __future__ import annotations

from pathlib import Path

from bench.servers import _PORTS, _apart
from fink_dagster.settings import KafkaCluster, Settings


def test_whatever_is_set_the_benchmark_speaks_to_servers_and_a_lake_of_its_own(tmp_path: Path) -> None:
    elsewhere = Settings(
        data=tmp_path / "platform",
        survey_kafka=KafkaCluster(address="survey:9092"),
        distribution_kafka=KafkaCluster(address="users:9092"),
        hbase_address="thrift:9090",
        hbase_zookeeper_address="zookeeper:2181",
        lake_catalog="jdbc:postgresql://catalog/lake",
        lake_warehouse="hdfs://lake",
    )
    own = _apart(elsewhere, tmp_path / "bench")
    addresses = {
        own.survey_kafka_address,
        own.distribution_kafka_address,
        own.hbase_zookeeper,
        ":".join(map(str, own.hbase)),
    }
    assert {address.partition(":")[0] for address in addresses} == {"127.0.0.1"}
    assert (own.data, own.lake_catalog, own.lake_warehouse) == (tmp_path / "bench", None, None)
    assert not {getattr(own, name) for name in _PORTS} & {getattr(elsewhere, name) for name in _PORTS}
