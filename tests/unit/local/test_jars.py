import hashlib
from pathlib import Path

import pytest

from fink_dagster.errors import OperationError
from fink_dagster.local import ivy, jar_lock, jars
from fink_dagster.local.ivy import Coordinate
from fink_dagster.local.jars import Jar
from fink_dagster.settings import Settings

BODY = b"a jar"
JAR = Jar("kafka", Coordinate("org.example", "thing", "1.0"), hashlib.sha256(BODY).hexdigest())


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data", cache=tmp_path / "cache")


@pytest.fixture
def lock_of_one_jar(tmp_path, monkeypatch):
    lock = tmp_path / "jars.lock"
    lock.write_text(f"# a comment\n{JAR.line()}\n")
    monkeypatch.setattr(jar_lock, "LOCK", lock)
    monkeypatch.setattr(jars, "ROOTS", ("kafka",))


def central(body, calls=None):
    """Stand in for Maven Central: every jar has this body."""

    def fetch(coordinates, work, *, transitive=False):
        for named in coordinates:
            if calls is not None:
                calls.append(named)
            file = work / "jars" / named.org / named.name / named.version / f"{named.name}-{named.version}.jar"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return list(work.rglob("*.jar"))

    return fetch


def test_the_committed_lock_names_every_jar_once_and_its_hash():
    locked = jar_lock.read_lock()
    assert {jar.group for jar in locked} == set(jar_lock.ROOTS)
    assert len({(jar.group, jar.file) for jar in locked}) == len(locked)
    assert all(len(jar.sha256) == 64 for jar in locked)


def test_the_committed_lock_holds_the_roots():
    locked = {(jar.group, jar.coordinate) for jar in jar_lock.read_lock()}
    roots = {(group, Coordinate.parse(root)) for group, named in jar_lock.ROOTS.items() for root in named}
    assert roots <= locked


def test_no_spark_jar_stands_a_second_time_beside_those_of_pyspark():
    shipped = jar_lock._shipped_with_pyspark()
    assert not [jar.file for jar in jar_lock.read_lock() if jar.group == "spark" and jar.coordinate.name in shipped]
    assert "scala-library" in shipped


def test_a_written_line_is_read_back():
    assert jar_lock.read_lock(JAR.line()) == [JAR]


@pytest.mark.parametrize(
    "line", ["kafka org.example thing 1.0", f"{JAR.line()} more", JAR.line().replace("kafka", "x")]
)
def test_a_malformed_line_is_refused(line):
    with pytest.raises(OperationError, match=r"jars\.lock: a line must be group org name version sha256; got"):
        jar_lock.read_lock(line)


@pytest.mark.usefixtures("lock_of_one_jar")
def test_absent_jars_are_reported_with_the_way_out(settings):
    with pytest.raises(OperationError, match=r"jars: the kafka jars must be in the cache; got none.*; run make setup"):
        jars.jar_paths(settings, "kafka")


@pytest.mark.usefixtures("lock_of_one_jar")
def test_fetched_jars_are_found_and_not_fetched_again(settings, monkeypatch):
    calls, lines = [], []
    monkeypatch.setattr(ivy, "fetch", central(BODY, calls))
    jars.ensure_jars(settings, lines.append)
    jars.ensure_jars(settings, lines.append)
    assert jars.jar_paths(settings, "kafka") == [settings.cache / "jars/kafka/thing-1.0.jar"]
    assert calls == [JAR.coordinate]
    assert lines == ["jars: kafka: 1 fetched and verified"]


@pytest.mark.usefixtures("lock_of_one_jar")
def test_a_jar_with_another_hash_is_removed_and_reported(settings, monkeypatch):
    monkeypatch.setattr(ivy, "fetch", central(b"another jar"))
    with pytest.raises(
        OperationError, match=r"jars: thing-1\.0\.jar must have sha256 .*; got .*; it was removed: run make"
    ):
        jars.ensure_jars(settings, print)
    assert not list(settings.cache.rglob("*.jar"))
    assert not jars.jars_ready(settings)


@pytest.mark.usefixtures("lock_of_one_jar")
def test_a_jar_that_was_deleted_is_fetched_again(settings, monkeypatch):
    monkeypatch.setattr(ivy, "fetch", central(BODY))
    jars.ensure_jars(settings, print)
    jars.jar_paths(settings, "kafka")[0].unlink()
    with pytest.raises(OperationError, match=r"got no thing-1\.0\.jar; run make setup"):
        jars.jar_paths(settings, "kafka")
    jars.ensure_jars(settings, print)
    assert jars.jar_paths(settings, "kafka")[0].read_bytes() == BODY


@pytest.mark.usefixtures("lock_of_one_jar")
def test_a_new_lock_asks_for_verification_again(settings, monkeypatch):
    monkeypatch.setattr(ivy, "fetch", central(BODY))
    jars.ensure_jars(settings, print)
    jar_lock.LOCK.write_text(f"{JAR.line()}\n{JAR.line().replace('thing', 'other')}\n")
    assert not jars.jars_ready(settings)
    jars.ensure_jars(settings, print)
    assert [path.name for path in jars.jar_paths(settings, "kafka")] == ["thing-1.0.jar", "other-1.0.jar"]


def test_ivy_is_asked_for_exactly_the_named_jars(tmp_path, monkeypatch):
    monkeypatch.setattr(ivy, "_run", lambda work: None)
    ivy.fetch([JAR.coordinate], tmp_path)
    asked = Path(tmp_path, "ivy.xml").read_text()
    assert 'org="org.example" name="thing" rev="1.0"' in asked
    described = Path(tmp_path, "names/org.example/thing-1.0.xml").read_text()
    assert "<dependencies>" not in described
