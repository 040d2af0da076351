import pytest

from fink_dagster.local import platform
from fink_dagster.settings import KafkaCluster, Settings

NOBODY = "127.0.0.1:9"  # the discard port: nothing listens


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path, kafka_port=10, hbase_port=11, dagster_port=12)


def test_what_does_not_run_is_shown_as_not_healthy_with_its_address_and_version(settings):
    services = platform.services(settings)
    assert list(services) == ["kafka", "hbase", "dagster"]
    assert [service["healthy"] for service in services.values()] == [False] * 3
    assert [service["rss_mib"] for service in services.values()] == [0] * 3
    assert services["kafka"]["address"] == "127.0.0.1:10"
    assert (services["kafka"]["version"], services["hbase"]["version"]) == ("4.2.0", "2.6.1")
    assert services["dagster"]["address"] == "http://127.0.0.1:12"
    assert not platform.is_up(settings)


def test_services_of_others_are_asked_at_their_address(settings, monkeypatch):
    monkeypatch.setattr(platform, "_ASK_SECONDS", 0.2)
    cluster = KafkaCluster(address=NOBODY)
    external = {"survey_kafka": cluster, "distribution_kafka": cluster, "hbase_address": NOBODY}
    services = platform.services(settings.model_copy(update=external))
    expected = {"address": NOBODY, "version": "unknown", "healthy": False, "rss_mib": 0, "security": "none"}
    assert services["kafka"] == expected
    assert services["hbase"] == expected


@pytest.mark.parametrize(
    ("survey", "distribution", "embedded"),
    [(None, None, True), ("a:1", None, True), (None, "b:1", True), ("a:1", "b:1", False)],
)
def test_the_embedded_kafka_stands_in_for_whichever_is_not_set(settings, survey, distribution, embedded):
    clusters = {"survey_kafka": KafkaCluster(address=survey), "distribution_kafka": KafkaCluster(address=distribution)}
    assert platform.embeds_kafka(settings.model_copy(update=clusters)) is embedded


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({}, "none"),
        ({"security_protocol": "SSL"}, "SSL"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "username": "fink", "password": "sesame"},
            "SASL_PLAINTEXT SCRAM-SHA-512",
        ),
    ],
)
def test_services_say_how_users_log_in_to_the_kafka_they_read_from(settings, cluster, said):
    secured = settings.model_copy(update={"distribution_kafka": KafkaCluster(**cluster)})
    assert platform.services(secured)["kafka"]["security"] == said
