from __future__ import annotations

import pytest

from fink_dagster.commands.places import declination, radius_arcsec, right_ascension
from fink_dagster.errors import UserError


@pytest.mark.parametrize(
    ("text", "degrees"),
    [("193.8217409", 193.8217409), ("10:20:30", 155.125), ("10h20m30s", 155.125), ("10 20 30", 155.125), ("15d", 15.0)],
)
def test_a_right_ascension_is_read_from_degrees_and_from_hours(text: str, degrees: float) -> None:
    assert right_ascension(text) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "degrees"), [("-12.5", -12.5), ("-12:30:00", -12.5), ("-0:30", -0.5), ("+2d53m50s", 2.8972222222222)]
)
def test_a_declination_is_read_from_degrees_and_sexagesimal(text: str, degrees: float) -> None:
    assert declination(text) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "arcsec"), [("5", 5.0), ("5arcsec", 5.0), ("2arcmin", 120.0), ("0.1deg", 360.0), ("1.5 arcmin", 90.0)]
)
def test_a_radius_without_unit_is_arcsec(text: str, arcsec: float) -> None:
    assert radius_arcsec(text) == pytest.approx(arcsec, abs=1e-9)


@pytest.mark.parametrize("text", ["", "x", "10:", "1;DROP TABLE", "5parsec", "10:20:30:40", "1 OR 1=1", "9" * 41 + "x"])
@pytest.mark.parametrize("read", [right_ascension, declination, radius_arcsec])
def test_what_is_no_angle_is_refused_in_a_sentence(text: str, read: object) -> None:
    with pytest.raises(UserError, match="correct it") as refused:
        read(text)  # type: ignore[operator]
    assert len(str(refused.value).splitlines()) == 1
