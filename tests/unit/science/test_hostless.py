from __future__ import annotations

import gzip
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binned_statistic, wasserstein_distance

from fink_dagster.science import hostless as module
from fink_dagster.science.hostless import (
    CANDIDATE_MODULE,
    LARGEST_BYTES,
    MODULE,
    SHAPE,
    Stamp,
    clip,
    differ,
    hostless,
    kstest,
    read_stamp,
)
from fink_dagster.science.run import run_modules

CANDID = 2_560_123_456_015_015_001
NAMES = [output.name for output in MODULE.outputs]
NULLS = dict.fromkeys(NAMES)


def _noise(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(200.0, 10.0, SHAPE)


def _with_source(image: np.ndarray, peak: float = 400.0, sigma: float = 1.5) -> np.ndarray:
    y, x = np.indices(image.shape) - 31
    return image + peak * np.exp(-(x**2 + y**2) / (2 * sigma**2))


def _stamp(image: np.ndarray, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU(image.astype(">f4")).writeto(buffer)
    return gzip.compress(buffer.getvalue()) if zipped else buffer.getvalue()


SCIENCE, TEMPLATE = _stamp(_with_source(_noise())), _stamp(_noise(2))


def _whole(image: np.ndarray) -> Stamp:
    return Stamp(image, np.zeros(SHAPE, dtype=bool), 0, 0)


def test_a_transient_without_a_host_stands_out_of_one_stamp_only() -> None:
    found = hostless(SCIENCE, TEMPLATE, CANDID)
    clipped, centre = found["clipped_science"], found["clipped_science_centre"]
    assert clipped is not None
    assert centre is not None
    assert clipped > 5
    assert centre > 5
    for name in ("kstest_science", "kstest_template"):
        value = found[name]
        assert value is not None
        assert 0 <= value <= 1


@pytest.mark.parametrize("image", [_noise(1), _with_source(_noise(1), peak=1e4, sigma=3.0)])
def test_stamps_that_do_not_differ_are_counted_and_not_compared(image: np.ndarray) -> None:
    found = hostless(_stamp(image), _stamp(image), CANDID)
    assert (found["kstest_science"], found["kstest_template"]) == (None, None)
    assert found["clipped_science"] == found["clipped_template"] is not None


@pytest.mark.parametrize(
    ("science", "template", "expected"),
    [((6, 0), (2, 0), True), ((9, 6), (9, 2), True), ((6, 0), (3, 0), False), ((5, 0), (2, 0), False)],
)
def test_stamps_differ_when_more_than_5_pixels_stand_out_of_one_and_fewer_than_3_of_the_other(
    science: tuple[int, int], template: tuple[int, int], expected: bool
) -> None:
    nothing = np.zeros(SHAPE, dtype=bool)
    first, second = (Stamp(_noise(), nothing, count, centre) for count, centre in (science, template))
    assert differ(first, second) is expected
    assert differ(second, first) is expected


def test_pixels_beyond_3_sigma_of_the_rest_are_counted_in_the_stamp_and_its_middle() -> None:
    image = np.tile([1.0, -1.0], (63 * 63 + 1) // 2)[: 63 * 63].reshape(SHAPE)
    image[0, :4], image[24, 24], image[37, 37], image[38, 38] = 5.0, 5.0, -5.0, 5.0
    stamp = clip(image)
    assert (stamp.count, stamp.centre) == (7, 2)
    np.testing.assert_array_equal(stamp.clipped, np.abs(image) > 1)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_stamp_is_read_zipped_or_plain(zipped: bool) -> None:
    image = _noise().astype(np.float32)
    for data in (_stamp(image, zipped=zipped), bytearray(_stamp(image, zipped=zipped))):
        pixels = read_stamp(data)
        assert pixels is not None
        assert pixels.dtype == np.float64
        np.testing.assert_array_equal(pixels, image)


def _with(value: float) -> np.ndarray:
    image = _noise()
    image[5, 7] = value
    return image


def _empty() -> bytes:
    buffer = io.BytesIO()
    fits.PrimaryHDU().writeto(buffer)
    return buffer.getvalue()


UNUSABLE = {
    "null": None,
    "not a number of pandas": float("nan"),
    "empty": b"",
    "text": b"no image at all",
    "gzip of nothing": gzip.compress(b""),
    "gzip of text": gzip.compress(b"no image at all"),
    "half a gzip": SCIENCE[: len(SCIENCE) // 2],
    "half a FITS": _stamp(_noise(), zipped=False)[:9000],
    "header without image": _empty(),
    "larger than a stamp": gzip.compress(_stamp(_noise(), zipped=False) + bytes(LARGEST_BYTES)),
    "at a chip's edge": _stamp(_noise()[:44]),
    "a cube": _stamp(np.zeros((2, *SHAPE))),
    "a pixel that is NaN": _stamp(_with(np.nan)),
    "a pixel that is infinite": _stamp(_with(np.inf)),
}


@pytest.mark.parametrize("data", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_stamp_that_cannot_be_judged_gives_nulls(data: object) -> None:
    assert read_stamp(data) is None
    assert hostless(data, TEMPLATE, CANDID) == NULLS
    assert hostless(SCIENCE, data, CANDID) == NULLS


@given(st.binary(max_size=400))
@settings(deadline=None, max_examples=50)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    whole = _stamp(_noise(), zipped=False)
    for mangled in (data, whole[: 80 * 3] + data + whole[80 * 3 + len(data) :]):
        pixels = read_stamp(mangled)
        assert pixels is None or pixels.shape == SHAPE


def test_constant_stamps_have_nothing_to_compare() -> None:
    constant = _stamp(np.full(SHAPE, 7.0))
    assert hostless(constant, constant, CANDID) == {
        **dict.fromkeys(NAMES, 0),
        "kstest_science": None,
        "kstest_template": None,
    }
    found = hostless(SCIENCE, constant, CANDID)
    assert found["kstest_science"] is not None
    assert found["kstest_template"] is None


def test_pixels_too_large_for_a_spectrum_give_null() -> None:
    assert kstest(_whole(_noise() * 1e200), np.random.default_rng(1)) is None


def test_a_spectrum_is_the_mean_power_in_rings_of_wavenumber_times_their_area() -> None:
    image = _noise()[:15, :15]
    frequency = np.fft.fftfreq(15) * 15
    wavenumber = np.hypot(*np.meshgrid(frequency, frequency)).ravel()
    edges = np.arange(0.5, 8.0)
    power = np.abs(np.fft.fftn(image)).ravel() ** 2
    mean = binned_statistic(wavenumber, power, bins=edges).statistic
    expected = mean * np.pi * (edges[1:] ** 2 - edges[:-1] ** 2)
    found = module._spectra(image[np.newaxis])[0]
    np.testing.assert_allclose(found, np.sort(expected), rtol=1e-12)


def test_the_statistic_is_that_of_distances_computed_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHUFFLES", 20)
    image = _with_source(_noise(), peak=20.0)
    generator = np.random.default_rng(3)
    shuffled = module._spectra(module._shuffled(image, generator))
    own = module._spectra(image[np.newaxis, 24:39, 24:39])[0]
    to_shuffled = np.array([wasserstein_distance(own, one) for one in shuffled])
    among = np.array([wasserstein_distance(shuffled[i], shuffled[j]) for i in range(20) for j in range(i)])
    steps = np.concatenate([to_shuffled, among])
    gaps = [abs((to_shuffled <= x).mean() - (among <= x).mean()) for x in steps]
    assert kstest(_whole(image), np.random.default_rng(3)) == pytest.approx(max(gaps), abs=1e-9)


def test_shuffled_pixels_are_pixels_of_the_image_each_at_most_once() -> None:
    image = np.arange(63.0 * 63.0).reshape(SHAPE)
    for middle in module._shuffled(image, np.random.default_rng(1)):
        assert middle.shape == (15, 15)
        assert len(np.unique(middle)) == middle.size


def test_pixels_that_stand_out_are_filled_with_noise_like_the_rest() -> None:
    stamp = clip(_with_source(_noise(), peak=1000.0))
    filled = module._filled(stamp, np.random.default_rng(1))
    np.testing.assert_array_equal(filled[~stamp.clipped], stamp.pixels[~stamp.clipped])
    assert np.abs(filled[stamp.clipped] - 200.0).max() < 50.0


def test_structure_has_a_higher_statistic_than_noise() -> None:
    gradient = _noise() + np.linspace(0.0, 300.0, 63)
    noise, structure = (
        [kstest(_whole(image), np.random.default_rng(seed)) for seed in range(3)] for image in (_noise(), gradient)
    )
    assert max(value for value in noise if value is not None) < 0.8
    assert structure == [1.0, 1.0, 1.0]


def _run(frame: pd.DataFrame) -> pd.DataFrame:
    ran = run_modules(frame, [MODULE])
    assert ran.failures == {}
    return ran.columns


def _alerts() -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {"candid": CANDID, "cutoutScience.stampData": SCIENCE, "cutoutTemplate.stampData": TEMPLATE},
        {"candid": CANDID + 1, "cutoutScience.stampData": SCIENCE, "cutoutTemplate.stampData": TEMPLATE},
        {"candid": CANDID + 2, "cutoutScience.stampData": TEMPLATE, "cutoutTemplate.stampData": SCIENCE},
        {"candid": -1, "cutoutScience.stampData": SCIENCE, "cutoutTemplate.stampData": TEMPLATE},
        {"candid": CANDID + 3, "cutoutScience.stampData": None, "cutoutTemplate.stampData": None},
    ]
    return pd.DataFrame(rows).assign(is_hostless_candidate=True)


def test_an_alert_has_the_same_numbers_in_any_company() -> None:
    frame = _alerts()
    together = _run(frame)
    backwards = _run(frame.iloc[::-1])
    pd.testing.assert_frame_equal(together, backwards.loc[together.index])
    for row in range(len(frame)):
        pd.testing.assert_frame_equal(together.iloc[[row]], _run(frame.iloc[[row]]))
    assert together["kstest_science"].iloc[0] != together["kstest_science"].iloc[1]


def test_an_alert_that_is_no_candidate_is_not_looked_at() -> None:
    found = _run(_alerts().assign(is_hostless_candidate=[False, True, False, False, True]))
    assert found["clipped_science"].notna().tolist() == [False, True, False, False, False]


def test_an_alert_without_candid_has_numbers_too() -> None:
    found = MODULE.function(pd.Series([SCIENCE]), pd.Series([TEMPLATE]), pd.Series([pd.NA], dtype="Int64"))
    assert isinstance(found, pd.DataFrame)
    assert found["kstest_science"].notna().all()


WORTH = {
    "finkclass": "SN candidate",
    "candidate.jd": 2460045.0,
    "candidate.jdstarthist": 2460000.0,
    "candidate.magpsf": 19.5,
    "roid": 0,
    "nalerthist": 3,
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"finkclass": "QSO"}, True),
        ({"finkclass": "Unknown"}, False),
        ({"finkclass": None}, False),
        ({"finkclass": "Unknown", "snn_sn_vs_all": 0.5}, True),
        ({"finkclass": "Unknown", "rf_kn_vs_nonkn": 0.49}, False),
        ({"candidate.jdstarthist": 2459999.9}, False),
        ({"candidate.jdstarthist": 2460090.0}, True),
        ({"candidate.jdstarthist": None}, False),
        ({"candidate.magpsf": 19.51}, False),
        ({"candidate.magpsf": None}, False),
        ({"roid": 2}, True),
        ({"roid": 3}, False),
        ({"roid": None}, True),
        ({"nalerthist": 2}, False),
        ({"nalerthist": None}, False),
    ],
)
def test_a_candidate_is_young_bright_measured_three_times_and_of_a_kind(
    changed: dict[str, Any], expected: bool
) -> None:
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in {**WORTH, **changed}.items()})
    ran = run_modules(frame, [CANDIDATE_MODULE])
    assert ran.failures == {}
    assert ran.columns["is_hostless_candidate"].tolist() == [expected]


def test_no_alerts_give_no_candidates_and_no_numbers() -> None:
    empty = pd.Series([], dtype=object)
    paths = (*CANDIDATE_MODULE.inputs, *CANDIDATE_MODULE.optional)
    assert len(CANDIDATE_MODULE.function(*[empty] * len(paths))) == 0
    found = MODULE.function(empty, empty, empty)
    assert isinstance(found, pd.DataFrame)
    assert found.columns.tolist() == NAMES
    assert found.empty
