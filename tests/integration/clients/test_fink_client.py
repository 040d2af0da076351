"""Alerts of a real night as users get them: with fink-client, unmodified, in Python and by its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fastavro

from tests.integration.clients.conftest import ALL, SOME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.clients.conftest import FinkClient

Names = dict[str, set[tuple[str, int]]]


def test_every_alert_is_polled_once_with_its_64_bits(client: FinkClient, names: Names) -> None:
    wanted = sorted((topic, *name) for topic, some in names.items() for name in some)
    assert sorted(client.poll(list(names), len(wanted))) == wanted


def test_alerts_are_saved_to_files_of_their_names_and_topics_listed(
    client: FinkClient, names: Names, tmp_path: Path
) -> None:
    folder = tmp_path / "alerts"
    client.register(SOME)

    client.save(folder, len(names[SOME]))

    assert SOME in client.topics()
    assert {file.name for file in folder.iterdir()} == {f"{name}_{candid}.avro" for name, candid in names[SOME]}
    for file in folder.iterdir():
        with file.open("rb") as opened:
            alert = next(fastavro.reader(opened))
        assert file.stem == f"{alert['objectId']}_{alert['candidate']['candid']}"
        assert alert["cutoutScience"]["stampData"][:2] == b"\x1f\x8b"


def test_the_count_topic_can_be_subscribed_to(client: FinkClient, names: Names, tmp_path: Path) -> None:
    client.register(ALL, SOME)
    number = sum(map(len, names.values()))

    client.save(tmp_path / "alerts", number)

    # The bright ones came twice, under the same name.
    assert len(list((tmp_path / "alerts").iterdir())) == len(names[ALL])
