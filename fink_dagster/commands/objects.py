"""``fink-dagster object``, ``cone`` and ``alerts``: searching the archive from the command line.

Arguments and options; the search is done in ``fink_dagster.hbase``, printing and writing in ``answers``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fink_dagster.commands import light_curve
from fink_dagster.commands.answers import WRITERS, Format, must_be_writable, show, write
from fink_dagster.commands.places import declination, radius_arcsec, right_ascension
from fink_dagster.errors import FinkError, OperationError, UserError, unknown
from fink_dagster.hbase.cone import DEC, RA
from fink_dagster.hbase.light_curve import TAG
from fink_dagster.hbase.meanings import column_meanings
from fink_dagster.hbase.reader import SEPARATION, ArchiveReader
from fink_dagster.hbase.tables import NIGHT
from fink_dagster.local.progress import waiting
from fink_dagster.settings import load_settings
from fink_dagster.stages.archive_rows import tables_of
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import night_interval
from fink_dagster.surveys.light_curve import HasLightCurves

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fink_dagster.surveys.base import Night

Columns = Annotated[str | None, typer.Option(help="Only these, by comma; default: all, of a table the main ones.")]
Nights = Annotated[str | None, typer.Option(help="Only of these nights, A..B or one, YYYY-MM-DD.")]
Output = Annotated[Path | None, typer.Option(help="Write to this file: .csv, .parquet, .vot or .xml (VOTable).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
Printed = Annotated[Format, typer.Option("--format", help="How to print; a table rounds, CSV and JSON do not.")]
OfSurvey = Annotated[str | None, typer.Option("--survey", help="Whose; default: FINK_SURVEY.")]


def object_(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Objects, also several by comma.")],
    columns: Columns = None,
    with_upper: Annotated[
        bool, typer.Option("--with-upper", help="Also upper limits and points of bad quality, by the column tag.")
    ] = False,
    nights: Nights = None,
    output: Output = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the light curve of one object: .png, .pdf or .svg.")] = None,
    overwrite: Overwrite = False,
    form: Printed = Format.TABLE,
    survey: OfSurvey = None,
) -> None:
    """Print the alerts of an object, or of several, oldest first. Exit code 1 when there are none.

    Example: fink-dagster object ZTF18abeymeo --with-upper --plot ZTF18abeymeo.png
    """
    reader, wanted, interval = _reader(survey), _names(columns), _interval(nights)
    asked_for = list(dict.fromkeys(name.strip() for text in names for name in text.split(",")))
    _must_be_writable(output, overwrite)
    read = None if wanted is None else [*wanted, reader.name]
    if plot:
        points = _points_to_draw(reader, plot, asked_for, overwrite)
        read = None if read is None else [*read, *points, *((TAG.name,) if with_upper else ())]
    with waiting("searching the archive"):
        frame = reader.objects(asked_for, columns=read, nights=interval, with_upper=with_upper)
    _tell_absent(asked_for, set(frame[reader.name].astype(str)))
    if plot:
        light_curve.draw(frame, plot, reader.survey, asked_for[0])
        typer.echo(f"drawn: {plot}", err=True)
    _answer(reader, frame, wanted, output, form)


def cone(
    ra: Annotated[str, typer.Argument(metavar="RA", help="Degrees, or hours as 12:55:17.2 or 12h55m17.2s.")],
    dec: Annotated[str, typer.Argument(metavar="DEC", help="Degrees, or as 02:53:50 or 2d53m50s.")],
    radius: Annotated[str, typer.Argument(metavar="RADIUS", help="Arcsec, or with a unit as 2arcmin; at most 5deg.")],
    first_detected: Annotated[
        str | None, typer.Option(help="Only objects first detected in these nights, A..B or one, YYYY-MM-DD.")
    ] = None,
    columns: Columns = None,
    output: Output = None,
    overwrite: Overwrite = False,
    form: Printed = Format.TABLE,
    survey: OfSurvey = None,
) -> None:
    """Print the objects around a place on the sky, nearest first.

    Places are ICRS. Of an object it is the newest alert, with its separation.

    Example: fink-dagster cone 193.8217409 2.8973184 5arcsec
    """
    place, size = (right_ascension(ra), declination(dec)), radius_arcsec(radius)
    reader, wanted, interval = _reader(survey), _names(columns), _interval(first_detected)
    _must_be_writable(output, overwrite)
    with waiting("searching the archive"):
        frame = reader.cone(*place, size, columns=wanted, first_detected=interval)
    _answer(reader, frame, wanted, output, form)


def alerts(
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="finkclass, ssnamenr, tracklet, tns or night.")],
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="What it is; without it, what there is gets listed.")
    ] = None,
    nights: Nights = None,
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 1000,
    columns: Columns = None,
    output: Output = None,
    overwrite: Overwrite = False,
    form: Printed = Format.TABLE,
    survey: OfSurvey = None,
) -> None:
    """Print the newest alerts of a class, an asteroid, a track, a name in TNS or a night.

    Exit code 1 when there are none. By night, HBase looks at every key: read the lake where a night has many alerts.

    Example: fink-dagster alerts finkclass "Solar System MPC" --limit 10
    """
    reader, wanted, interval = _reader(survey), _names(columns), _interval(nights)
    if column != NIGHT and column not in reader.by_column:
        raise unknown("alerts: what to search by", column, [*reader.by_column, NIGHT])
    _must_be_writable(output, overwrite)
    if value is None:
        for each in reader.values(column):
            typer.echo(each)
        return
    with waiting("searching the archive"):
        if column == NIGHT:
            frame = reader.nights(*night_interval(value), columns=wanted).head(limit)
        else:
            frame = reader.alerts(column, value, columns=wanted, nights=interval, newest=limit)
    if frame.empty:
        raise _absent(reader, column, value)
    if len(frame) == limit:
        typer.echo(f"alerts: these are the newest {limit}; more with --limit", err=True)
    _answer(reader, frame, wanted, output, form)


def _reader(survey: str | None) -> ArchiveReader:
    settings = load_settings()
    whose = get_survey(survey or settings.survey)
    return ArchiveReader(settings.hbase, whose, tables_of(whose))


def _names(columns: str | None) -> list[str] | None:
    return None if columns is None else list(dict.fromkeys(name.strip() for name in columns.split(",")))


def _interval(text: str | None) -> tuple[Night, Night] | None:
    return None if text is None else night_interval(text)


def _must_be_writable(output: Path | None, overwrite: bool) -> None:
    if output:
        must_be_writable(output, tuple(WRITERS), overwrite=overwrite)


def _points_to_draw(reader: ArchiveReader, plot: Path, names: Sequence[str], overwrite: bool) -> tuple[str, ...]:
    """Return the columns a light curve is drawn from; raises UserError when none can be."""
    must_be_writable(plot, light_curve.ENDINGS, overwrite=overwrite)
    columns = light_curve.light_curve_of(reader.survey).columns
    if len(names) > 1:
        raise UserError(f"plot: must be of one object; got {len(names)}; call it for each")
    return (reader.time, *columns)


def _tell_absent(names: Sequence[str], there: set[str]) -> None:
    if not there:
        message = f"object {', '.join(names[:3])}: must have alerts in the archive; got none; check the name"
        raise OperationError(message)
    for name in names:
        if name not in there:
            typer.echo(f"object {name}: no alerts", err=True)


def _absent(reader: ArchiveReader, column: str, value: str) -> FinkError:
    if column == reader.survey.statistics.classes:
        there = reader.values(column)
        if there and value not in there:
            return unknown(column, value, there)
    return OperationError(f"alerts: the archive must hold some with {column} {value!r}; got none; ask for others")


def _answer(
    reader: ArchiveReader, frame: pd.DataFrame, wanted: Sequence[str] | None, output: Path | None, form: Format
) -> None:
    answer = frame if wanted is None else frame[list(wanted)]
    if output:
        write(answer, output, column_meanings(reader.survey))
        typer.echo(f"written: {output}, {len(answer)} rows")
    else:
        show(answer, form, None if wanted else _for_the_eye(reader))


def _for_the_eye(reader: ArchiveReader) -> list[str]:
    whose = reader.survey
    points = whose.light_curve.columns[:4] if isinstance(whose, HasLightCurves) else ()
    names = (SEPARATION.name, reader.name, reader.identifier, reader.time, RA, DEC, *points, TAG.name)
    return [*names, whose.statistics.classes]
