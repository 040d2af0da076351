"""A light curve as astronomers draw it: bright is up, a colour per band, upper limits as triangles that point down.

Points of bad quality are hollow. Where the source is fainter than in the reference image, so that the magnitude is of
what is missing, the mark is a diamond, called negative. Which columns these are the survey declares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fink_dagster.commands.answers import appearing
from fink_dagster.errors import UserError
from fink_dagster.hbase.light_curve import BAD_QUALITY, TAG, UPPER_LIMIT, VALID
from fink_dagster.surveys.light_curve import HasLightCurves

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from fink_dagster.surveys.base import Survey
    from fink_dagster.surveys.light_curve import LightCurve

ENDINGS = (".png", ".pdf", ".svg")
_COLOURS = {"u": "#56b4e9", "g": "#009e73", "r": "#d55e00", "i": "#cc79a7", "z": "#7b5b3a", "y": "#333333"}
"""By the name of the filter, after Okabe and Ito: told apart with every kind of sight."""
_OTHER = "#777777"
_INCHES = (9.0, 5.0)


def light_curve_of(survey: Survey) -> LightCurve:
    """Return what a survey declares of its light curves; raises UserError when it has none."""
    if isinstance(survey, HasLightCurves):
        return survey.light_curve
    raise UserError(f"light curve: must be declared by the survey; {survey.name} declares none; ask without a plot")


def draw(frame: pd.DataFrame, file: Path, survey: Survey, title: str) -> None:
    """Draw the points of one object.

    Parameters
    ----------
    frame : DataFrame
        With the columns of the light curve and its time; ``tag`` where there are upper limits.
    file : Path
        Ends in one of ``ENDINGS``.
    survey : Survey
        Declares what the columns are.
    title : str
        Stands above.

    Raises
    ------
    UserError
        When the survey declares no light curves.
    OperationError
        When the file cannot be written.
    """
    from matplotlib.figure import Figure

    curve = light_curve_of(survey)
    points = frame.assign(
        mjd=frame[survey.night_rule.field.rpartition(".")[2]] - curve.mjd_zero,
        tag=frame.get(TAG.name, VALID),
        negative=frame[curve.sign].isin(curve.negative),
    )
    figure = Figure(_INCHES, layout="constrained")
    axes = figure.add_subplot()
    for value, band in curve.bands.items():
        _draw_band(axes, points[points[curve.band] == value], curve, band)
    axes.invert_yaxis()
    axes.set(xlabel=f"MJD ({curve.scale})", ylabel="difference magnitude", title=title)
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.margins(x=0.04, y=0.08)
    axes.grid(alpha=0.3)
    labelled = sorted(zip(*axes.get_legend_handles_labels()[::-1], strict=True), key=lambda pair: pair[0])
    if labelled:
        labels, handles = zip(*labelled, strict=True)
        axes.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    with appearing(file) as part:
        figure.savefig(part, dpi=150)


def _draw_band(axes: Axes, points: pd.DataFrame, curve: LightCurve, band: str) -> None:
    colour = _COLOURS.get(band, _OTHER)
    for negative, mark, said in ((False, "o", ""), (True, "D", ", negative")):
        side = points[points["negative"] == negative]
        whole: dict[str, Any] = {"markerfacecolor": colour, "label": f"{band}{said}", "zorder": 3}
        hollow: dict[str, Any] = {"markerfacecolor": "white", "label": f"{band}{said}, bad quality", "zorder": 2}
        for tag, style in ((VALID, whole), (BAD_QUALITY, hollow)):
            _draw_measured(axes, side[side["tag"] == tag], curve, {"marker": mark, "color": colour, **style})
    limits = points[points["tag"] == UPPER_LIMIT].dropna(subset=["mjd", curve.limit])
    if len(limits):
        times, values = (limits[name].to_numpy(float) for name in ("mjd", curve.limit))
        axes.plot(times, values, "v", color=colour, alpha=0.45, markersize=5, label=f"{band}, upper limit")


def _draw_measured(axes: Axes, points: pd.DataFrame, curve: LightCurve, style: dict[str, Any]) -> None:
    points = points.dropna(subset=["mjd", curve.magnitude])
    if len(points):
        times, values, errors = (points[name] for name in ("mjd", curve.magnitude, curve.error))
        bars = errors.to_numpy(float, na_value=float("nan"))
        axes.errorbar(
            times.to_numpy(float),
            values.to_numpy(float),
            yerr=bars,
            linestyle="none",
            markersize=5.5,
            elinewidth=1,
            **style,
        )
