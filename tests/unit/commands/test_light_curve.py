from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from fink_dagster.commands import light_curve
from fink_dagster.surveys import get_survey

SURVEY = get_survey("ztf")
TYPES = {
    **{"jd": "Float64", "fid": "Int32", "magpsf": "Float32", "sigmapsf": "Float32", "diffmaglim": "Float32"},
    **{"isdiffpos": "string", "tag": "string"},
}


def _drawn(*points: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Figure:
    frame = pd.DataFrame(
        {name: pd.Series([point.get(name) for point in points], dtype=kind) for name, kind in TYPES.items()}
    )
    made: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **others: made.append(self) or save(self, *args, **others)
    )
    light_curve.draw(frame, tmp_path / "a.png", SURVEY, "ZTF18abyouwp")
    return made[0]


def _point(tag: str = "valid", **values: Any) -> dict[str, Any]:
    return {"jd": 2458451.5, "fid": 1, "magpsf": 17.5, "sigmapsf": 0.1, "isdiffpos": "t", "tag": tag, **values}


def _labels(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_bright_is_up_and_time_is_mjd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = _drawn(_point(), _point(jd=2458452.5, magpsf=16.0), monkeypatch=monkeypatch, tmp_path=tmp_path)
    [axes] = figure.axes
    faint, bright = axes.get_ylim()
    assert faint > 17.5 > 16.0 > bright
    [container] = axes.containers
    assert container.lines[0].get_xdata().tolist() == [58451.0, 58452.0]
    assert (axes.get_xlabel(), axes.get_title()) == ("MJD (UTC)", "ZTF18abyouwp")


def test_every_kind_of_point_has_its_mark_and_bands_have_their_colours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    points = [
        _point(),
        _point(fid=2),
        _point("badquality"),
        _point(isdiffpos="f"),
        _point("upperlim", magpsf=None, diffmaglim=19.5, isdiffpos=None),
    ]
    figure = _drawn(*points, monkeypatch=monkeypatch, tmp_path=tmp_path)
    assert _labels(figure) == ["g", "g, bad quality", "g, negative", "g, upper limit", "r"]
    marks = {each.get_label(): each.lines[0] for each in figure.axes[0].containers}
    assert marks["g"].get_color() == marks["g, negative"].get_color() != marks["r"].get_color()
    assert marks["g"].get_markerfacecolor() == marks["g"].get_color()
    assert marks["g, bad quality"].get_markerfacecolor() == "white"
    assert marks["g, negative"].get_marker() == "D"
    [limit] = [line for line in figure.axes[0].lines if line.get_label() == "g, upper limit"]
    assert (limit.get_marker(), limit.get_ydata().tolist()) == ("v", [19.5])


def test_points_without_a_magnitude_are_left_out_and_one_without_an_error_is_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figure = _drawn(_point(magpsf=None), _point(sigmapsf=None), monkeypatch=monkeypatch, tmp_path=tmp_path)
    [container] = figure.axes[0].containers
    assert container.lines[0].get_ydata().tolist() == [17.5]


def test_nothing_to_draw_is_an_empty_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    figure = _drawn(_point(magpsf=None), monkeypatch=monkeypatch, tmp_path=tmp_path)
    assert _labels(figure) == []
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
