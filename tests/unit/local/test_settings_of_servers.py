from pydantic import SecretStr

from fink_dagster.settings import KafkaCluster, Settings


def test_a_child_process_reads_the_very_same_settings(tmp_path, monkeypatch):
    cluster = KafkaCluster(address="survey:9092", username="fink", password=SecretStr("hush"))
    settings = Settings(data=tmp_path, kafka_port=1234, survey_kafka=cluster, trigger_seconds=0.5)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_new_users_password_is_handed_to_no_server(tmp_path):
    settings = Settings(data=tmp_path, new_user_password=SecretStr("sesame"))
    assert "sesame" not in settings.environment().values()


def test_a_setting_that_is_unset_is_not_inherited(monkeypatch):
    monkeypatch.setenv("FINK_HBASE_ADDRESS", "elsewhere:9090")
    assert "FINK_HBASE_ADDRESS" not in Settings(hbase_address=None).environment()


def test_the_rest_of_the_environment_is_inherited(monkeypatch):
    monkeypatch.setenv("FINK_OF_A_FILTER", "kept")
    assert Settings().environment()["FINK_OF_A_FILTER"] == "kept"
