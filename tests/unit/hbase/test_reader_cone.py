from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_dagster.errors import UserError
from fink_dagster.hbase import scans
from fink_dagster.hbase.cone import MOST_ARCSEC, pixels_in
from fink_dagster.hbase.reader import ArchiveReader
from fink_dagster.science import sky
from fink_dagster.surveys import get_survey
from fink_dagster.surveys.base import Night
from tests.hbase import FakeHBase

SURVEY = get_survey("ztf")
NIGHT = Night("2018-11-29")
JD = 2458451.75
OBJECTS = "ztf.pixel128"
CENTRES = st.tuples(
    st.one_of(st.floats(0, 360), st.sampled_from([0.0, 1e-9, 45.0, 90.0, 270.0, 359.9999999, 360.0])),
    st.one_of(
        st.floats(-90, 90), st.floats(89.99, 90), st.floats(-90, -89.99), st.sampled_from([0.0, 41.8103149, -90.0])
    ),
)
RADII = st.one_of(st.floats(0.1, 10), st.floats(10, 1000), st.floats(1000, MOST_ARCSEC))


def _object(number: int, ra: float, dec: float, **values: Any) -> dict[str, Any]:
    jd = values.setdefault("jd", JD)
    return {
        "objectId": f"ZTF{number}",
        "candid": 2**60 + number,
        "night": SURVEY.night_rule.night(jd).key,
        "jdstarthist": jd,
        "ra": ra,
        "dec": dec,
        "pixel128": int(sky.pixels(np.array([ra]), np.array([dec]), 128)[0]),
        **values,
    }


def _around(ra: float, dec: float, radius_arcsec: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in and around a cone, evenly, by turning those around the north pole."""
    random = np.random.default_rng(seed)
    angle = np.deg2rad(radius_arcsec / 3600) * 1.5 * np.sqrt(random.random(60))
    turn = 2 * np.pi * random.random(60)
    x, y, z = np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)
    tilt, a = np.deg2rad(90 - dec), np.deg2rad(ra)
    x, z = x * np.cos(tilt) + z * np.sin(tilt), z * np.cos(tilt) - x * np.sin(tilt)
    x, y = x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)
    return np.rad2deg(np.arctan2(y, x)) % 360, np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def _vectors(ra: Any, dec: Any) -> np.ndarray:
    a, d = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])


def _brute_force(ra: float, dec: float, to_ra: np.ndarray, to_dec: np.ndarray) -> np.ndarray:
    """Distances [arcsec] by the chord between directions, which no pole and no meridian disturbs."""
    chord = np.linalg.norm(_vectors(to_ra, to_dec) - _vectors(ra, dec)[:, None], axis=0)
    return np.rad2deg(2 * np.arcsin(np.clip(chord / 2, 0, 1))) * 3600


def _read(fake: FakeHBase, *asked: Any, **others: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scans, "connect", fake)
        return ArchiveReader(("nowhere", 1), SURVEY, fake.declared).cone(*asked, **others)


@settings(max_examples=50)
@given(centre=CENTRES, radius=RADII, seed=st.integers(0, 1000))
def test_a_cone_finds_what_looking_at_every_object_finds(centre: tuple[float, float], radius: float, seed: int) -> None:
    ra, dec = _around(*centre, radius, seed)
    fake = FakeHBase(SURVEY)
    fake.put_into(OBJECTS, *(_object(number, *place) for number, place in enumerate(zip(ra, dec, strict=True))))
    away = _brute_force(*centre, ra, dec)
    # Within a millionth of an arcsecond of the edge either answer is right.
    surely, perhaps = away < radius - 1e-6, away < radius + 1e-6

    found = _read(fake, *centre, radius)

    numbers = [int(name.removeprefix("ZTF")) for name in found["objectId"]]
    assert set(np.flatnonzero(surely)) <= set(numbers) <= set(np.flatnonzero(perhaps))
    assert found["separation_arcsec"].to_numpy(float) == pytest.approx(away[numbers], abs=1e-6)
    assert found["separation_arcsec"].is_monotonic_increasing
    assert found["candid"].tolist() == [2**60 + number for number in numbers]


@given(centre=CENTRES, radius=RADII, seed=st.integers(0, 1000))
def test_every_place_in_a_cone_lies_in_a_pixel_that_is_looked_into(
    centre: tuple[float, float], radius: float, seed: int
) -> None:
    ra, dec = _around(*centre, radius / 1.5, seed)
    assert set(sky.pixels(ra, dec, 128)) <= set(pixels_in(*centre, radius, 128))


def test_a_small_cone_reads_a_few_pixels_and_no_other_object() -> None:
    fake = FakeHBase(SURVEY)
    fake.put_into(OBJECTS, *(_object(number, 10.0 + number, 20.0) for number in range(50)))
    assert _read(fake, 12.0, 20.0, 5.0)["objectId"].tolist() == ["ZTF2"]
    assert fake.table("ztf.pixel128").given == 1


def test_an_object_on_the_edge_is_in_and_one_at_the_centre_is_at_zero() -> None:
    fake = FakeHBase(SURVEY)
    fake.put_into(OBJECTS, _object(0, 10.0, 0.0), _object(1, 10.0, 5.0))
    found = _read(fake, 10.0, 0.0, MOST_ARCSEC)
    assert found["separation_arcsec"].tolist() == [0.0, pytest.approx(MOST_ARCSEC, abs=1e-6)]


def test_an_object_that_is_there_twice_counts_as_its_newest_alert() -> None:
    """A writer that is stopped between putting the new row and deleting the old one leaves both."""
    fake = FakeHBase(SURVEY)
    old = _object(0, 10.0, 20.0, jd=JD)
    new = _object(0, 10.0, 20.0005, jd=JD + 1, candid=5, jdstarthist=JD - 1)
    fake.put_into(OBJECTS, old, new)
    assert _read(fake, 10.0, 20.0, 5.0)["candid"].tolist() == [5]
    assert _read(fake, 10.0, 20.0, 1.0)["candid"].tolist() == []


def test_only_objects_first_detected_in_the_nights_asked_for_are_found() -> None:
    fake = FakeHBase(SURVEY)
    begins = [2458451.5 - 1e-7, 2458451.5, 2458451.75, 2458452.5 - 1e-7, 2458452.5]
    fake.put_into(OBJECTS, *(_object(number, 10.0, 20.0, jdstarthist=begin) for number, begin in enumerate(begins)))
    found = _read(fake, 10.0, 20.0, 5.0, first_detected=(NIGHT, NIGHT))
    assert found["objectId"].tolist() == ["ZTF1", "ZTF2", "ZTF3"]


def test_columns_asked_for_are_all_there_is() -> None:
    fake = FakeHBase(SURVEY)
    fake.put_into(OBJECTS, _object(0, 10.0, 20.0))
    found = _read(fake, 10.0, 20.0, 5.0, columns=["separation_arcsec", "objectId"])
    assert found.to_dict("list") == {"separation_arcsec": [0.0], "objectId": ["ZTF0"]}
    assert str(_read(fake, 100.0, 20.0, 5.0)["candid"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ((361.0, 0.0, 5.0), "centre must be within"),
        ((-1e-9, 0.0, 5.0), "centre must be within"),
        ((0.0, 90.1, 5.0), "centre must be within"),
        ((float("nan"), 0.0, 5.0), "centre must be within"),
        ((0.0, float("nan"), 5.0), "centre must be within"),
        ((0.0, 0.0, 0.0), "radius must be above 0 and at most 18000 arcsec"),
        ((0.0, 0.0, -1.0), "radius must be above 0"),
        ((0.0, 0.0, 18000.1), "got 18000.1 arcsec"),
        ((0.0, 0.0, float("nan")), "radius must be above 0"),
        ((0.0, 0.0, float("inf")), "radius must be above 0"),
    ],
)
def test_what_is_no_cone_is_refused(asked: tuple[float, float, float], why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        _read(FakeHBase(SURVEY), *asked)
    assert len(str(refused.value).splitlines()) == 1
