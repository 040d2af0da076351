"""A real night through Kafka, Spark, Iceberg, Kafka and HBase, and what its account says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import fastavro
import pytest

from fink_dagster.accounts.account import Account, account_of
from fink_dagster.accounts.closing import has_news
from fink_dagster.accounts.live import live_counts
from fink_dagster.hbase.connection import connect
from fink_dagster.kafka.clients import distribution_client, survey_client
from fink_dagster.kafka.count import read_all
from fink_dagster.kafka.topics import offsets
from fink_dagster.local import kafka
from fink_dagster.replay.replay import replay
from fink_dagster.replay.sources import open_source
from fink_dagster.settings import KafkaCluster
from fink_dagster.stages.stage import STAGES
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night
from tests.conftest import SHARED, settings_in
from tests.integration.streams.conftest import produce, snapshots, stream_until_closed
from tests.packets import with_new_field
from tests.toy import Toy, toy_message, ztf_named

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from fink_dagster.settings import Settings

Closed = Callable[..., Account]
SAMPLE_NIGHT = Night("2018-08-19")


def test_the_sample_night_closes_and_a_second_time_changes_nothing(
    closed: Closed, spark: SparkSession, settings: Settings, sample_tarball: Path
) -> None:
    survey = get_survey("ztf")
    replay(settings, survey, open_source(sample_tarball))
    account = closed(SAMPLE_NIGHT)
    assert account.closes, account.why_open
    assert (account.received, account.raw, account.science, account.rejected) == (30, 30, 20, {"rb": 10})
    assert account.duplicates == 0
    assert account.distributed["fink_ztf_20180819"] == 20
    assert account.archived == {
        **{f"ztf{name}": 20 for name in ("", ".class", ".cutouts")},
        **{f"ztf{name}": 0 for name in (".ssnamenr", ".tracklet", ".tns")},
    }
    assert has_news(settings, survey, SAMPLE_NIGHT) is False
    live = live_counts(settings, survey, SAMPLE_NIGHT, account)
    assert all(said["agrees"] for said in live.values()), live

    before = snapshots(spark, settings, survey)
    assert replay(settings, survey, open_source(sample_tarball)).sent == 0
    assert closed(SAMPLE_NIGHT).as_books() == account.as_books()
    assert snapshots(spark, settings, survey) == before

    for stage in STAGES:
        _forget_newest_commit(settings.checkpoints("ztf", SAMPLE_NIGHT.key) / stage)
    assert closed(SAMPLE_NIGHT).as_books() == account.as_books()
    live = live_counts(settings, survey, SAMPLE_NIGHT, account)
    assert all(said["agrees"] for said in live.values()), live

    messages = list(read_all(distribution_client(settings), "fink_ztf_20180819"))
    read = [fastavro.schemaless_reader(io.BytesIO(m.value()), json.loads(m.key())) for m in messages]
    assert len({alert["candid"] for alert in read}) == len(read) == 20


def _forget_newest_commit(checkpoint: Path) -> None:
    commits = [file for file in (checkpoint / "commits").iterdir() if file.name.isdigit()]
    newest = max(commits, key=lambda file: int(file.name))
    newest.unlink()
    newest.with_name(f".{newest.name}.crc").unlink()


def test_what_a_night_came_to_is_a_row_of_hbase(closed: Closed, settings: Settings, packets: list[bytes]) -> None:
    survey = ztf_named("came_to")
    survey.topics = lambda night: [f"came_to_{night.compact}"]  # type: ignore[method-assign]
    produce(settings, f"came_to_{SAMPLE_NIGHT.compact}", packets)
    account = closed(SAMPLE_NIGHT, survey)
    with closing(connect(*settings.hbase)) as connection:
        row = connection.table("statistics_class").row(b"came_to_20180819")
    found = {name: cell for name, cell in row.items() if name != b"basic:night"}
    counts = {name.decode(): int.from_bytes(cell, "big") for name, cell in found.items()}
    assert (row[b"basic:night"], counts["basic:raw"], counts["basic:sci"]) == (b"2018-08-19", 30, 20)
    assert counts["basic:n_g"] + counts["basic:n_r"] == 20
    assert 0 < counts["basic:fields"] <= counts["basic:exposures"] <= 20
    classes = {name: number for name, number in counts.items() if name.startswith("class:")}
    assert sum(number for name, number in classes.items() if "simbad" not in name) == account.science
    assert classes["class:simbad_tot"] == classes["class:simbad_gal"] == 0


def test_late_and_repeated_messages_are_taken_and_the_night_closes_again(
    closed: Closed, settings: Settings, packets: list[bytes]
) -> None:
    survey = ztf_named("late")
    topic = "ztf_20180819_programid1"
    survey.topics = lambda night: [f"late_{topic}"]  # type: ignore[method-assign]
    produce(settings, f"late_{topic}", packets[:5])
    assert closed(SAMPLE_NIGHT, survey).raw == 5
    produce(
        settings, f"late_{topic}", [packets[0], b"noise", with_new_field(packets[6], "novelty", 1.5), *packets[7:9]]
    )
    assert has_news(settings, survey, SAMPLE_NIGHT)
    account = closed(SAMPLE_NIGHT, survey)
    assert account.closes, account.why_open
    assert (account.received, account.raw, account.duplicates) == (10, 9, 1)
    assert account.quarantined == {"not_a_container": 1}


def test_a_made_up_survey_needs_no_change_outside_surveys(closed: Closed, settings: Settings) -> None:
    night = Night("2023-02-25")
    alerts = [toy_message(sourceId=2**60 + place, mjd=60000.6 + place / 10) for place in range(4)]
    poor = toy_message(sourceId=1, mjd=60000.7, quality=0.1)
    other_night = toy_message(sourceId=2, mjd=60003.0)
    produce(settings, "toy-20230225", [*alerts, alerts[0], poor, other_night, b"junk"])
    account = closed(night, Toy())
    assert account.closes, account.why_open
    assert (account.received, account.raw, account.science) == (8, 6, 4)
    assert (account.duplicates, account.rejected) == (1, {"quality": 1})
    assert account.quarantined == {"not_toy": 1}
    assert account.other_nights == {"2023-02-27": 1}
    assert account.archived == {"toy": 4}


def test_nothing_is_written_to_the_surveys_kafka(
    spark: SparkSession, settings: Settings, tmp_path: Path, packets: list[bytes]
) -> None:
    theirs = settings_in(tmp_path / "survey")
    kafka.start(theirs)
    try:
        survey = ztf_named("two")
        produce(theirs, "ztf_20180819_programid1", packets[:6])
        before = _everything(theirs)
        both = settings.model_copy(update={"survey_kafka": KafkaCluster(address=theirs.embedded_kafka_address)})
        account = stream_until_closed(spark, both, survey, SAMPLE_NIGHT)
        assert account.closes, account.why_open
        assert account.received == 6
        assert _everything(theirs) == before
        assert account.distributed["fink_two_20180819"] == account.science > 0
    finally:
        kafka.stop(theirs)


def _everything(settings: Settings) -> dict[str, object]:
    from confluent_kafka.admin import AdminClient

    config = survey_client(settings)
    admin = AdminClient(config)
    return {topic: offsets(config, topic) for topic in admin.list_topics(timeout=10).topics}


if SHARED.exists():

    def test_a_whole_public_night_closes_with_291_science_and_208_rejected(closed: Closed, settings: Settings) -> None:
        replay(settings, get_survey("ztf"), open_source(SHARED / "ztf_public_20181129.tar.gz"))
        account = closed(Night("2018-11-29"))
        assert account.closes, account.why_open
        assert (account.received, account.science, sum(account.rejected.values())) == (499, 291, 208)
        assert account.distributed["fink_sso_ztf_candidates_ztf"] == 98
        assert account.distributed["fink_ztf_20181129"] == 291

    @pytest.mark.slow
    def test_all_archives_and_the_damaged_packets_in_one_topic_close(closed: Closed, settings: Settings) -> None:
        survey, topic = ztf_named("mixed"), "ztf_20200101_programid1"
        sources = [*sorted(SHARED.glob("*.tar.gz")), SHARED / "damaged"]
        for source in sources:
            replay(settings, survey, open_source(source), topic=topic)
        first = closed(Night("2020-01-01"), survey)
        assert first.closes, first.why_open
        assert (first.received, first.raw) == (610, 50)
        assert first.quarantined == {"truncated": 7}
        assert first.other_nights == {"2018-08-19": 30, "2018-11-29": 499, "2023-10-12": 24}
        later = closed(Night("2023-10-12"), survey)
        assert later.closes, later.why_open
        assert (later.received, later.raw, later.from_other_topics) == (0, 24, {topic: 24})
        assert later.science == 19


def test_no_night_is_no_news(settings: Settings) -> None:
    assert has_news(settings, get_survey("ztf"), Night("2019-03-03")) is None
    assert account_of(settings, get_survey("ztf"), Night("2019-03-03")) is None


@pytest.mark.parametrize("text", ["2018-8-19", "20180819", "2018-02-30", "../x"])
def test_a_night_is_a_date(text: str) -> None:
    from fink_dagster.errors import UserError

    with pytest.raises(UserError, match="must be a date as YYYY-MM-DD"):
        Night.parse(text)
