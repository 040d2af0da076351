"""What the benchmark writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.__main__ import _chosen
from bench.report import report, show, write
from fink_dagster.errors import UserError
from fink_dagster.settings import Settings

RATES = {
    "kafka_read": [1000.0, 1200, 900],
    "udf_decode": [100.0] * 3,
    "stream2raw": [310.0, 400, 290],
    "chain": [150.0] * 3,
}


def test_each_measure_has_median_and_extremes(tmp_path: Path) -> None:
    write(report(RATES, Settings(data=tmp_path), 20, 0.0), tmp_path / "new" / "latest.json")
    found = json.loads((tmp_path / "new" / "latest.json").read_text())
    assert found["stream2raw"] == {"alerts_per_s": {"median": 310.0, "min": 290.0, "max": 400.0}}
    assert found["ratios"] == {"stream2raw/udf_decode": 3.1, "stream2raw/kafka_read": 0.322}


def test_a_ratio_is_taken_within_each_round(tmp_path: Path) -> None:
    # The whole machine was half as fast in two of three rounds.
    rates = {"udf_decode": [100.0, 50.0, 50.0], "stream2raw": [400.0, 200.0, 200.0]}
    assert report(rates, Settings(data=tmp_path), 20, 0.0)["ratios"] == {"stream2raw/udf_decode": 4.0}


def test_what_was_not_measured_has_no_ratio(tmp_path: Path) -> None:
    found = report({"stream2raw": [10.0]}, Settings(data=tmp_path), 20, 0.0)
    assert found["ratios"] == {}
    assert "chain" not in found


def test_no_path_is_written(tmp_path: Path) -> None:
    assert "/" not in json.dumps(report(RATES, Settings(data=tmp_path), 20, 0.0)).replace("stream2raw/", "")


def test_each_target_is_shown_as_met_or_missed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(report(RATES, Settings(data=tmp_path), 20, 0.0))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    verdicts = {line[1]: line[-2] for line in lines if "met" in line or "missed" in line}
    assert verdicts == {"stream2raw/udf_decode": "met", "stream2raw/kafka_read": "missed", "chain": "missed"}


def test_science_modules_are_shown_with_what_they_must_reach(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"roid": {"alone": 9000.0, "together": None, "unisolated": 9999.0}}
    about = {"history_median": 11.0, "isolation_cost": 0.07, "modules": rows}
    found = report({"science": [700.0]}, Settings(data=tmp_path), 20, 0.0, about={"science": about})
    assert found["science"] == {"alerts_per_s": {"median": 700.0, "min": 700.0, "max": 700.0}, **about}
    show(found)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [[word for word in line if "," in word] for line in lines if "roid" in line] == [["9,000", "9,999"]]
    assert any("7%" in line for line in lines)
    assert [line[4:-1:2] for line in lines if "met" in line] == [["600", "700", "met"]]


def test_a_ratio_without_a_bound_is_shown_and_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {"distribution_2": [400.0], "distribution": [300.0], "archive": [100.0], "hbase_put": [400.0]}
    found = report(rates, Settings(data=tmp_path), 20, 0.0)
    assert found["ratios"] == {"distribution/distribution_2": 0.75, "archive/hbase_put": 0.25}
    show(found)
    out = capsys.readouterr().out
    assert [line.split()[1:-1] for line in out.splitlines() if "archive/" in line] == [
        ["archive/hbase_put", "│", "│", "0.25", "│"]
    ]
    assert not {"met", "missed"} & set(out.split())


def test_what_else_is_said_of_a_measure_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"distribution": {"alerts": 400, "filters": 20, "messages_per_alert": 1.375}}
    found = report({"distribution": [300.0]}, Settings(data=tmp_path), 20, 0.0, about=about)
    assert found["distribution"] == {
        "alerts_per_s": {"median": 300.0, "min": 300.0, "max": 300.0},
        **about["distribution"],
    }
    show(found)
    assert "distribution: 400 alerts, 20 filters, 1.375 messages per alert" in capsys.readouterr().out


def test_measures_keep_their_order_whatever_is_asked() -> None:
    assert _chosen("chain, kafka_read") == ["kafka_read", "chain"]


@pytest.mark.parametrize("only", ["", "kafka", "chain,x"])
def test_an_unknown_measure_is_refused(only: str) -> None:
    with pytest.raises(UserError, match="kafka_read,udf_decode,stream2raw,chain"):
        _chosen(only)
