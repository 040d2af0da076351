from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.science.run import run_modules
from fink_dagster.science.sky import COARSE, FINE, MODULE, ecliptic_latitudes, galactic_latitudes, pixels

DEGREES = np.pi / 180
TEXTBOOK_DEG = 2e-5  # textbook angles are of FK5, some 0.02 arcsec from ICRS
NORTH_POLE_RA, NORTH_POLE_DEC = 192.85948 * DEGREES, 27.12825 * DEGREES
OBLIQUITY = 84381.406 / 3600 * DEGREES


def _table(ra: list[float | None], dec: list[float | None]) -> pd.DataFrame:
    frame = pd.DataFrame({"candidate.ra": pd.Series(ra, dtype=object), "candidate.dec": pd.Series(dec, dtype=object)})
    ran = run_modules(frame, [MODULE])
    assert ran.failures == {}
    return ran.columns


def _all_over_the_sky(number: int) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(7)
    return draws.uniform(0, 360, number), np.arcsin(draws.uniform(-1, 1, number)) / DEGREES


def _ring(ra: np.ndarray, dec: np.ndarray, nside: int) -> np.ndarray:
    """Return pixels by the formulas of Gorski et al. (2005, ApJ 622, 759), section 5."""
    z, turn = np.sin(dec * DEGREES), ra / 90 % 4
    northern, up = z > 0, np.floor(nside * (0.5 + turn - 0.75 * z))
    down = np.floor(nside * (0.5 + turn + 0.75 * z))
    row = nside + 1 + up - down
    along = np.floor((up + down - nside + (row % 2 == 0) + 1) / 2) % (4 * nside)
    belt = 2 * nside * (nside - 1) + (row - 1) * 4 * nside + along
    width, part = nside * np.sqrt(3 * (1 - np.abs(z))), turn % 1
    ring = np.floor(part * width) + np.floor((1 - part) * width) + 1
    place = np.floor(turn * ring) % (4 * ring)
    cap = np.where(northern, 2 * ring * (ring - 1) + place, 12 * nside**2 - 2 * ring * (ring + 1) + place)
    return np.where(np.abs(z) <= 2 / 3, belt, cap).astype(np.int64)


def test_latitudes_are_those_of_the_textbook() -> None:
    ra, dec = _all_over_the_sky(1000)
    a, d = ra * DEGREES, dec * DEGREES
    to_pole = np.sin(d) * np.sin(NORTH_POLE_DEC) + np.cos(d) * np.cos(NORTH_POLE_DEC) * np.cos(a - NORTH_POLE_RA)
    above = np.sin(d) * np.cos(OBLIQUITY) - np.cos(d) * np.sin(OBLIQUITY) * np.sin(a)
    for found, expected in ((galactic_latitudes(ra, dec), to_pole), (ecliptic_latitudes(ra, dec), above)):
        np.testing.assert_allclose(found, np.arcsin(expected) / DEGREES, rtol=0, atol=TEXTBOOK_DEG)


def test_latitudes_are_those_of_astropy() -> None:
    ra, dec = _all_over_the_sky(1000)
    places = SkyCoord(ra, dec, unit="deg")
    expected = places.galactic.b.deg, places.barycentricmeanecliptic.lat.deg
    for found, latitudes in zip((galactic_latitudes(ra, dec), ecliptic_latitudes(ra, dec)), expected, strict=True):
        np.testing.assert_allclose(found, latitudes, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("ra", "dec", "galactic", "ecliptic"),
    [
        (266.41682, -29.00781, -0.0462, -5.6077),  # Sgr A*
        (0.0, 0.0, -60.1886, 0.0),
        (270.0, 66.5607, 29.8115, 90.0),
    ],
)
def test_known_places_have_their_latitudes(ra: float, dec: float, galactic: float, ecliptic: float) -> None:
    row = _table([ra], [dec]).iloc[0]
    assert row["galactic_latitude"] == pytest.approx(galactic, abs=1e-3)
    assert row["ecliptic_latitude"] == pytest.approx(ecliptic, abs=1e-3)


@pytest.mark.parametrize("nside", [COARSE, FINE])
def test_pixels_are_numbered_along_rings(nside: int) -> None:
    ra, dec = _all_over_the_sky(100_000)
    np.testing.assert_array_equal(pixels(ra, dec, nside), _ring(ra, dec, nside))


@pytest.mark.parametrize(("ra", "dec", "nside", "expected"), [(10.0, 20.0, 256, 257564), (12.0, 25.0, 1024, 3627144)])
def test_pixels_are_those_of_other_programs(ra: float, dec: float, nside: int, expected: int) -> None:
    assert pixels(np.array([ra]), np.array([dec]), nside).tolist() == [expected]


@pytest.mark.parametrize("ra", [0.0, 90.0, 360.0])
def test_the_poles_are_in_the_first_and_the_last_pixels(ra: float) -> None:
    found = _table([ra, ra], [90.0, -90.0])
    assert found["pixel128"][0] < 4
    assert found["pixel128"][1] >= 12 * 128**2 - 4
    assert found["pixel1024"][1] >= 12 * 1024**2 - 4


@pytest.mark.parametrize(
    ("ra", "dec"),
    [(None, 0.0), (0.0, None), (np.nan, 0.0), (0.0, np.nan), (-0.1, 0.0), (360.1, 0.0), (0.0, 90.1), (0.0, -999.0)],
)
def test_what_is_not_on_the_sky_is_null_and_spoils_no_other(ra: float | None, dec: float | None) -> None:
    found = _table([10.0, ra, 10.0], [20.0, dec, 20.0])
    assert found.isna().all(axis="columns").tolist() == [False, True, False]
    pd.testing.assert_series_equal(found.iloc[0], found.iloc[2], check_names=False)


def test_a_full_turn_is_no_turn() -> None:
    found = _table([0.0, 360.0], [12.0, 12.0])
    assert found["pixel1024"].nunique() == 1


def test_no_alerts_and_none_on_the_sky_give_nulls_in_the_right_types() -> None:
    for found, number in ((_table([], []), 0), (_table([None], [None]), 1)):
        assert len(found) == number
        assert found.isna().to_numpy().all()
        assert found["pixel128"].dtype == pd.Int32Dtype()


_PLACE = st.tuples(st.none() | st.floats(0, 360), st.none() | st.floats(-90, 90))


@settings(max_examples=30, deadline=None)
@given(st.lists(_PLACE, min_size=1, max_size=12))
def test_a_place_has_the_same_numbers_whatever_came_with_it(places: list[tuple[float | None, float | None]]) -> None:
    ra, dec = (list(values) for values in zip(*places, strict=True))
    together = _table(ra, dec)
    backwards = _table(ra[::-1], dec[::-1]).iloc[::-1].reset_index(drop=True)
    alone = _table(ra[-1:], dec[-1:])
    pd.testing.assert_frame_equal(together, backwards, check_exact=True)
    pd.testing.assert_frame_equal(together.tail(1).reset_index(drop=True), alone, check_exact=True)
