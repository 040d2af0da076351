import shutil
import socket
from collections import namedtuple

import psutil
import pytest

from fink_dagster.local import doctor, java
from fink_dagster.settings import KafkaCluster, Settings

Memory = namedtuple("Memory", "available")
Disk = namedtuple("Disk", "free")


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "not yet there", cache=tmp_path / "cache")


def sentences(settings, good):
    return [finding.sentence for finding in doctor.examine(settings) if finding.good is good]


def test_an_empty_cache_is_reported_with_the_way_out(settings):
    bad = "\n".join(sentences(settings, good=False))
    assert "jars: the spark jars must be in the cache" in bad
    assert "samples: the sample packets must be in the cache; got none; run make setup" in bad


def test_a_missing_java_is_reported(settings, monkeypatch):
    monkeypatch.setattr(java.shutil, "which", lambda _: None)
    assert any(
        line.startswith("java: version 17 or newer must be installed; got none;") for line in sentences(settings, False)
    )


def test_an_old_java_is_reported(settings, monkeypatch):
    monkeypatch.setattr(java, "java_version", lambda: 11)
    assert any(
        line.startswith("java: version 17 or newer must be installed; got 11;") for line in sentences(settings, False)
    )


@pytest.mark.parametrize(
    ("text", "major"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_392"', 8), ('openjdk version "21"', 21)],
)
def test_the_version_of_java_is_read_from_what_it_says(tmp_path, monkeypatch, text, major):
    fake = tmp_path / "java"
    fake.write_text(f"#!/bin/sh\necho '{text}' >&2\n")
    fake.chmod(0o755)
    monkeypatch.setattr(java, "java_command", lambda: str(fake))
    assert java.java_version() == major


def test_a_port_of_somebody_else_is_named_with_its_setting(settings):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        taken = settings.model_copy(update={"kafka_port": port})
        assert any(f"{port} (FINK_KAFKA_PORT)" in line for line in sentences(taken, good=False))


def test_a_port_of_a_server_that_is_not_ours_to_start_is_not_looked_at(settings):
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        taken = settings.model_copy(update={"hbase_port": stranger.getsockname()[1], "hbase_address": "elsewhere:9090"})
        assert not any("FINK_HBASE_PORT" in line for line in sentences(taken, good=False))


def test_a_full_disk_is_reported(settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free=3 * 2**30))
    assert any(
        line.startswith("disk: 5 GiB must be free at") and "; got 3.0; " in line for line in sentences(settings, False)
    )


def test_too_little_memory_is_reported(settings, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available=2 * 2**30))
    bad = sentences(settings, good=False)
    assert any(line.startswith("memory: 6 GiB must be available; got 2.0; ") for line in bad)


def test_doctor_says_whether_security_is_on(settings):
    assert any(line.startswith("security: off, ") for line in sentences(settings, good=True))
    cluster = KafkaCluster(security_protocol="SASL_PLAINTEXT", username="fink", password="sesame")
    said = sentences(settings.model_copy(update={"distribution_kafka": cluster}), good=True)
    assert any(line.startswith("security: on, ") and "SCRAM-SHA-512" in line for line in said)


def test_security_that_cannot_be_is_reported(settings):
    cluster = KafkaCluster(security_protocol="SASL_PLAINTEXT", username="fink")
    bad = sentences(settings.model_copy(update={"distribution_kafka": cluster}), good=False)
    assert any("must have a user and a password" in line for line in bad)
