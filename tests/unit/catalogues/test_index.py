from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.catalogues.index import NARROWEST_CELL_RADIAN, Index, cells_of, nearest, separation_arcsec

ARCSEC = 1 / 3600
WIDEST_OF_ITS_DEPTH = np.degrees(0.9999 * NARROWEST_CELL_RADIAN / 2**9) * 3600
# Where cells are odd: poles, the meridian, corners and edges of the twelve base cells.
ODD = [(0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (45.0, 0.0), (45.0, 41.8103149), (90.0, 41.8103149), (180.0, -41.81)]
ODD += [(359.9999999, 12.0), (0.0, 89.9), (270.0, -41.8103149)]


def _index(ra: np.ndarray, dec: np.ndarray) -> Index:
    cells = cells_of(ra, dec)
    order = np.argsort(cells, kind="stable")
    return Index(cells[order], ra[order], dec[order])


def _near(ra: float, dec: float, away_arcsec: np.ndarray, angle: np.ndarray) -> SkyCoord:
    return SkyCoord(ra * u.deg, dec * u.deg).directional_offset_by(angle * u.deg, away_arcsec * u.arcsec)


@st.composite
def _sky(draw: st.DrawFn) -> tuple[float, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    radius = draw(st.sampled_from([0.01, 1.0, 1.5, 60.0, 3000.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ra, dec = draw(st.sampled_from(ODD) | st.tuples(st.floats(0, 360), st.floats(-90, 90)))
    sources, alerts = (
        _near(ra, dec, rng.uniform(0, 3 * radius, number), rng.uniform(0, 360, number))
        for number in (draw(st.integers(1, 30)), draw(st.integers(1, 30)))
    )
    return radius, (sources.ra.deg, sources.dec.deg), (alerts.ra.deg, alerts.dec.deg)


@settings(deadline=None, max_examples=80)
@given(_sky())
def test_the_nearest_source_is_astropys_wherever_on_the_sky(
    sky: tuple[float, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> None:
    radius, sources, alerts = sky
    index = _index(*sources)
    _, apart, _ = SkyCoord(*alerts, unit="deg").match_to_catalog_sky(SkyCoord(index.ra, index.dec, unit="deg"))
    expected = apart.arcsec
    found = nearest(index, *alerts, radius)
    clear = np.abs(expected - radius) > 1e-6 * radius
    assert ((found.rows >= 0) == (expected <= radius))[clear].all()
    matched = found.rows >= 0
    np.testing.assert_allclose(found.distance_arcsec[matched], expected[matched], rtol=1e-7, atol=1e-8)
    assert np.isnan(found.distance_arcsec[~matched]).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from([1.0, 60.0, WIDEST_OF_ITS_DEPTH]))
def test_every_source_within_the_radius_is_seen_from_any_place(seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    away = SkyCoord(ra, dec, unit="deg").directional_offset_by(
        rng.uniform(0, 360, 300) * u.deg, radius * rng.uniform(0.9, 0.999999, 300) * u.arcsec
    )
    assert (nearest(_index(ra, dec), away.ra.deg, away.dec.deg, radius).rows >= 0).all()


@settings(deadline=None, max_examples=30)
@given(_sky(), st.integers(0, 2**32))
def test_an_alert_is_answered_the_same_in_any_company_and_order(
    sky: tuple[float, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], seed: int
) -> None:
    radius, sources, (ra, dec) = sky
    index = _index(*sources)
    together = nearest(index, ra, dec, radius)
    shuffled = np.random.default_rng(seed).permutation(len(ra))
    mixed = nearest(index, ra[shuffled], dec[shuffled], radius)
    alone = [nearest(index, ra[row : row + 1], dec[row : row + 1], radius) for row in range(len(ra))]
    np.testing.assert_array_equal(mixed.rows, together.rows[shuffled])
    np.testing.assert_array_equal(mixed.distance_arcsec, together.distance_arcsec[shuffled])
    np.testing.assert_array_equal(np.concatenate([one.rows for one in alone]), together.rows)
    np.testing.assert_array_equal(np.concatenate([one.distance_arcsec for one in alone]), together.distance_arcsec)


def test_two_alerts_on_one_source_both_find_it() -> None:
    index = _index(np.array([150.0]), np.array([20.0]))
    found = nearest(index, np.array([150.0, 150.0 + ARCSEC]), np.array([20.0, 20.0]), 1.5)
    assert found.rows.tolist() == [0, 0]
    np.testing.assert_allclose(found.distance_arcsec, [0.0, np.cos(np.radians(20))], rtol=1e-9)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((359.99999, 0.0), (0.00001, 0.0), 0.072),
        ((10.0, 89.99999), (190.0, 89.99999), 0.072),
        ((10.0, -90.0), (250.0, -90.0), 0.0),
        ((10.0, 5.0), (10.0, 5.0 + 1e-9 / 3600), 1e-9),
        ((-0.00001, 3.0), (359.99999, 3.0), 0.0),
    ],
)
def test_small_angles_are_exact_across_the_meridian_and_the_poles(
    first: tuple[float, float], second: tuple[float, float], expected: float
) -> None:
    (ra1, dec1), (ra2, dec2) = (np.array(first), np.array(second))
    assert separation_arcsec(ra1, dec1, ra2, dec2) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_of_sources_at_one_place_the_first_is_taken() -> None:
    index = _index(np.full(3, 80.0), np.full(3, -5.0))
    assert nearest(index, np.array([80.0]), np.array([-5.0]), 1.0).rows.tolist() == [0]


@pytest.mark.parametrize(("ra", "dec"), [(np.nan, 0.0), (0.0, np.nan), (np.inf, 0.0), (0.0, 90.5), (0.0, -999.0)])
def test_an_alert_without_a_position_finds_nothing_and_disturbs_none(ra: float, dec: float) -> None:
    index = _index(np.array([0.0]), np.array([0.0]))
    found = nearest(index, np.array([ra, 0.0]), np.array([dec, 0.0]), 60.0)
    assert found.rows.tolist() == [-1, 0]
    assert np.isnan(found.distance_arcsec[0])


def test_no_alerts_find_nothing() -> None:
    found = nearest(_index(np.array([0.0]), np.array([0.0])), np.array([]), np.array([]), 1.0)
    assert (found.rows.tolist(), found.distance_arcsec.tolist()) == ([], [])
