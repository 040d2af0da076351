"""What the servers are configured with: one listener that is not on loopback would be open to the network."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from fink_dagster.local import dagster, hbase, kafka
from fink_dagster.settings import CHECKOUT, Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path / "my data",
        kafka_port=1001,
        kafka_controller_port=1002,
        hbase_zookeeper_port=1003,
        code_server_port=1004,
    )


def properties(path):
    lines = [line for line in Path(path).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_kafka_listens_on_loopback_at_its_ports(settings):
    written = properties(kafka.write_configuration(settings))
    assert written["listeners"] == "PLAINTEXT://127.0.0.1:1001,CONTROLLER://127.0.0.1:1002"
    assert written["advertised.listeners"] == "PLAINTEXT://127.0.0.1:1001"


def test_kafka_keeps_everything_and_makes_no_topic_by_mistake(settings):
    written = properties(kafka.write_configuration(settings))
    assert written["auto.create.topics.enable"] == "false"
    assert written["log.retention.ms"] == "-1"


def test_kafka_takes_messages_longer_than_the_platform_does(settings):
    written = properties(kafka.write_configuration(settings))
    assert int(written["message.max.bytes"]) > 2 * settings.max_message_bytes


def test_hbase_listens_on_loopback_and_serves_no_page(settings):
    site = hbase.site(settings)
    assert {
        value for name, value in site.items() if name.endswith((".hostname", ".address", "Address", ".quorum"))
    } == {"127.0.0.1"}
    assert {value for name, value in site.items() if name.endswith("info.port")} == {"-1"}
    assert site["hbase.zookeeper.property.clientPort"] == "1003"


def test_hbase_syncs_what_it_acknowledges(settings):
    assert hbase.site(settings)["fs.file.impl"] == "org.apache.hadoop.fs.RawLocalFileSystem"


def test_hbase_configuration_is_readable_whatever_the_folder_is_called(tmp_path):
    settings = Settings(data=tmp_path / "a & b")
    hbase.write_configuration(settings)
    root = ET.parse(settings.data / "hbase/conf/hbase-site.xml").getroot()
    written = {entry.findtext("name"): entry.findtext("value") for entry in root}
    assert written == hbase.site(settings)


def test_dagster_finds_its_settings_and_the_code_server(settings):
    dagster.write_configuration(settings)
    assert (settings.dagster_home / "dagster.yaml").read_text() == (CHECKOUT / "dagster.yaml").read_text()
    (location,) = yaml.safe_load((settings.data / "run/workspace.yaml").read_text())["load_from"]
    assert location == {"grpc_server": {"host": "127.0.0.1", "port": 1004, "location_name": "fink"}}


def test_dagster_accepts_its_settings(tmp_path):
    from dagster import DagsterInstance

    (tmp_path / "dagster.yaml").write_text((CHECKOUT / "dagster.yaml").read_text())
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_retries_max_retries == 3


def test_an_error_while_loading_the_definitions_is_found_in_the_answer():
    def answer(state):
        return {"workspaceOrError": {"__typename": "Workspace", "locationEntries": [{"locationOrLoadError": state}]}}

    assert dagster.load_error(answer({"__typename": "RepositoryLocation"})) is None
    assert dagster.load_error(answer(None)) is None
    error = {"__typename": "PythonError", "message": "no module", "causes": []}
    assert dagster.load_error(answer(error)) == "no module"
    assert dagster.load_error(answer(error | {"causes": [{"message": "the"}, {"message": "reason"}]})) == "reason"
