import pytest
from happybase import Connection

from fink_dagster.errors import OperationError
from fink_dagster.local import hbase, process


@pytest.fixture(autouse=True)
def started(settings):
    hbase.start(settings)


@pytest.fixture(scope="module", autouse=True)
def stopped_at_the_end(settings):
    yield
    hbase.stop(settings)
    assert process.family(hbase.master(settings)) + process.family(hbase.thrift(settings)) == []


@pytest.fixture
def write(settings):
    """Write one acknowledged row."""

    def write(key):
        connection = Connection("127.0.0.1", settings.hbase_port, timeout=60_000)
        if b"rows" not in connection.tables():
            connection.create_table("rows", {"i": {}})
        connection.table("rows").put(key, {b"i:value": key})
        connection.close()

    return write


@pytest.fixture
def read(settings):
    """Read one row."""

    def read(key):
        connection = Connection("127.0.0.1", settings.hbase_port, timeout=60_000)
        row = connection.table("rows").row(key)
        connection.close()
        return row

    return read


def test_every_listener_is_on_loopback_at_the_ports_asked_for(settings, listeners):
    found = listeners(hbase.master(settings)) | listeners(hbase.thrift(settings))
    names = ("hbase_port", "hbase_zookeeper_port", "hbase_master_port", "hbase_regionserver_port")
    assert found == {("127.0.0.1", getattr(settings, name)) for name in names}


def test_starting_a_healthy_hbase_again_keeps_it(settings):
    before = process.running(hbase.master(settings)), process.running(hbase.thrift(settings))
    hbase.start(settings)
    assert (process.running(hbase.master(settings)), process.running(hbase.thrift(settings))) == before


@pytest.mark.slow
def test_rows_survive_a_clean_stop(settings, write, read):
    write(b"stopped")
    hbase.stop(settings)
    assert process.family(hbase.master(settings)) == []
    hbase.start(settings)
    assert read(b"stopped") == {b"i:value": b"stopped"}


def test_acknowledged_rows_survive_killed_servers(settings, write, read):
    write(b"killed")
    for server in (hbase.thrift(settings), hbase.master(settings)):
        process.running(server).kill()
    hbase.start(settings)
    assert read(b"killed") == {b"i:value": b"killed"}


def test_a_lost_thrift_server_is_replaced_and_the_master_kept(settings, write):
    before = process.running(hbase.master(settings))
    process.running(hbase.thrift(settings)).kill()
    hbase.start(settings)
    write(b"after")
    assert process.running(hbase.master(settings)) == before


def test_a_taken_port_is_named_with_its_setting(settings, tmp_path):
    with pytest.raises(
        OperationError, match=rf"hbase: port {settings.hbase_port} must be free; .* set FINK_HBASE_PORT to"
    ):
        hbase.start(settings.model_copy(update={"data": tmp_path}))


def test_hbase_stays_within_its_memory(settings):
    assert process.rss_mib(hbase.master(settings)) < 600
    assert process.rss_mib(hbase.thrift(settings)) < 350
