"""``kstest_science`` and ``kstest_template``: whether a transient has a host galaxy, from its stamps alone.

ELEPHANT (Pessi et al. 2024, arXiv:2404.18165) as Fink has it (fink-science ``ztf/hostless_detection``): pixels that
stand out of the science stamp but not of the template, or the other way round, then the power spectrum of what is left,
against the same pixels shuffled. Which alerts are worth the work is said here too. Stamps are not drawn, and no other
survey's are judged.

Upstream seeds one generator per process, so its numbers depend on which alerts came before; here each stamp has one of
its own, seeded by ``candid``. Both draw from the same distribution. Upstream's -99 (not computed) and -1 (nothing to
compare) are null.
"""

from __future__ import annotations

import gzip
import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from fink_dagster.science.columns import numbers
from fink_dagster.science.module import PANDAS_TYPES, Module, Output
from fink_dagster.science.roid import KNOWN

# Of these Fink classes an alert is looked at. Upstream's list joins QSO_Candidate and Seyfert to one name nothing has,
# so they are not in it.
CLASSES = (
    *("AGN", "AGN_Candidate", "BH_Candidate", "Blazar", "Blazar_Candidate", "BLLac", "BLLac_Candidate"),
    *("Candidate_Nova", "Candidate_NS", "Candidate_SN*", "LINER", "QSO", "Seyfert1", "Seyfert2", "Seyfert_1"),
    *("Seyfert_2", "SN", "SN*_Candidate", "Supernova", "ULX", "ULX?", "ULX_Candidate"),
    *("SN candidate", "Early SN Ia candidate", "Kilonova candidate"),
)
LEAST_SCORE = 0.5
LONGEST_AGE_DAYS = 45.0
FAINTEST_MAG = 19.5
FEWEST_MEASURED = 3

SHAPE = (63, 63)  # at a chip's edge stamps are smaller, and centred elsewhere
LARGEST_BYTES = 1_000_000  # a stamp has 20 kB; gzip can hide a thousand times what it weighs
GZIP_MAGIC = b"\x1f\x8b"
SIGMAS, CLIPPINGS = 3.0, 10
CENTRE = slice(24, 38)  # upstream's 14 pixels, half a pixel off the middle of 63
MANY_CLIPPED, FEW_CLIPPED = 5, 3  # more than, fewer than

MIDDLE = slice(24, 39)  # the middle 15 pixels, whose spectrum is taken
SHUFFLES = 200
FEWEST_DISTANCES = 3  # different ones, to be compared as distributions


@dataclass(frozen=True)
class Stamp:
    """A stamp and what stands out of it.

    Parameters
    ----------
    pixels : array of float, 63x63
        Counts [DN].
    clipped : array of bool, 63x63
        Pixels more than 3 sigma from the median.
    count, centre : int
        Number of such pixels in the stamp and among its middle 14x14, each clipped once more, as upstream does.
    """

    pixels: np.ndarray
    clipped: np.ndarray
    count: int
    centre: int


def is_hostless_candidate(
    of_kind: np.ndarray, *, age: np.ndarray, magpsf: np.ndarray, roid: np.ndarray, nalerthist: np.ndarray
) -> np.ndarray:
    """Tell which alerts are looked at: young, bright, measured three times, no asteroid, and of an interesting kind.

    A comparison with a null is false: without ``jdstarthist`` an alert is not looked at, without ``roid`` it is no
    known asteroid.

    Parameters
    ----------
    of_kind : array of bool
        Whether an alert is in one of ``CLASSES``, or a classifier gives it a supernova or kilonova score of 0.5.
        Upstream has a third way in, its class at the TNS, which it fills with "Unknown".
    age : array of float
        Time since the first detection at the place [d].
    magpsf : array of float
        Magnitude [mag].
    roid, nalerthist : array of float
        As the modules of these names give them.
    """
    young, bright = np.abs(age) <= LONGEST_AGE_DAYS, magpsf <= FAINTEST_MAG
    wanted: np.ndarray = of_kind & young & bright & ~(roid == KNOWN) & (nalerthist >= FEWEST_MEASURED)
    return wanted


def read_stamp(data: object) -> np.ndarray | None:
    """Return the pixels of a FITS image, gzipped or plain; None where there are none that can be judged.

    That is: nothing there, no FITS, not 63x63, or some pixel is no finite number, as in one alert of ten, beside a
    chip's edge or in a saturated star. Upstream counts such pixels as standing out.
    """
    from astropy.io import fits

    if not isinstance(data, bytes | bytearray | memoryview):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(_unzipped(bytes(data))), memmap=False) as units:
                # The shape is that of the header: nothing is read of an image that claims to be larger.
                pixels = np.asarray(units[0].data, dtype=np.float64) if units[0].shape == SHAPE else None
    except Exception:  # noqa: BLE001 - bytes of any kind may come, and errors of many kinds come of them
        return None
    return pixels if pixels is not None and bool(np.isfinite(pixels).all()) else None


def clip(pixels: np.ndarray) -> Stamp:
    """Find the pixels that stand out, by 3-sigma clipping about the median."""
    once = _sigma_clip(pixels)
    count = np.ma.count_masked(_sigma_clip(once))
    centre = np.ma.count_masked(_sigma_clip(once[CENTRE, CENTRE]))
    return Stamp(pixels, np.ma.getmaskarray(once), int(count), int(centre))


def differ(science: Stamp, template: Stamp) -> bool:
    """Tell whether many pixels stand out of one stamp and few of the other, in all of it or in the middle."""
    pairs = ((science.count, template.count), (science.centre, template.centre))
    return any(max(pair) > MANY_CLIPPED and min(pair) < FEW_CLIPPED for pair in pairs)


def kstest(stamp: Stamp, generator: np.random.Generator) -> float | None:
    """Compare a stamp's power spectrum with those of its pixels shuffled, what stands out filled with noise.

    The statistic is Kolmogorov's and Smirnov's, between the Wasserstein distances of the spectrum to the shuffled ones
    and those of the shuffled ones to each other: low for noise, up to 1 for structure such as a galaxy. Another seed
    moves it by 0.02 to 0.14 (standard deviation), which is what 200 shuffles leave.

    Returns
    -------
    float or None
        None where the distances are no distribution, as in a constant stamp.
    """
    from scipy.spatial.distance import cdist, pdist
    from scipy.stats import ks_2samp

    filled = _filled(stamp, generator)
    own, shuffled = _spectra(filled[np.newaxis, MIDDLE, MIDDLE]), _spectra(_shuffled(filled, generator))
    with np.errstate(all="ignore"):
        to_shuffled = cdist(own, shuffled, "cityblock").ravel() / own.shape[1]
        among = pdist(shuffled, "cityblock") / own.shape[1]
    if min(_different(to_shuffled), _different(among)) < FEWEST_DISTANCES:
        return None
    return float(ks_2samp(to_shuffled, among, method="asymp").statistic)


def hostless(science: object, template: object, candid: int) -> dict[str, float | int | None]:
    """Return one alert's numbers by output; counts are null without two stamps, statistics where these do not differ.

    Parameters
    ----------
    science, template : bytes or None
        Stamps as in the packet.
    candid : int
        Identifier of the alert, seed of all that is random.
    """
    pixels = [read_stamp(data) for data in (science, template)]
    stamps = [clip(image) for image in pixels if image is not None]
    if len(stamps) < len(pixels):
        return dict.fromkeys(_NAMES)
    tests: list[float | None] = [None, None]
    if differ(*stamps):
        tests = [kstest(stamp, np.random.default_rng((candid, place))) for place, stamp in enumerate(stamps)]
    values = [*tests, *(stamp.count for stamp in stamps), *(stamp.centre for stamp in stamps)]
    return dict(zip(_NAMES, values, strict=True))


def _unzipped(data: bytes) -> bytes:
    if data.startswith(GZIP_MAGIC):
        with gzip.open(io.BytesIO(data)) as file:
            data = file.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"stamp: must be at most {LARGEST_BYTES} bytes; got more")
    return data


def _sigma_clip(pixels: np.ndarray) -> np.ma.MaskedArray:
    from astropy.stats import sigma_clip

    with np.errstate(all="ignore"):
        return sigma_clip(pixels, sigma=SIGMAS, maxiters=CLIPPINGS)


def _filled(stamp: Stamp, generator: np.random.Generator) -> np.ndarray:
    """Return the pixels, those that stand out replaced by noise like the others."""
    kept = stamp.pixels[~stamp.clipped]
    filled = stamp.pixels.copy()
    with np.errstate(all="ignore"):
        filled[stamp.clipped] = np.median(kept) + np.std(kept) * generator.standard_normal(stamp.clipped.sum())
    return filled


def _shuffled(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the middles of an image whose pixels were shuffled; only the pixels that come there are drawn."""
    side = MIDDLE.stop - MIDDLE.start
    drawn = [generator.choice(image.size, side * side, replace=False) for _ in range(SHUFFLES)]
    return image.ravel()[np.stack(drawn)].reshape(SHUFFLES, side, side)


def _spectra(images: np.ndarray) -> np.ndarray:
    """Return power spectra of square images: power in rings of wavenumber 1, 2, ... times their area, sorted.

    Sorted, because the Wasserstein distance of two samples of one size is the mean distance between their order
    statistics.
    """
    with np.errstate(all="ignore"):
        power = np.abs(np.fft.fft2(images)) ** 2
        return np.sort(power.reshape(len(images), -1) @ _rings(images.shape[-1]), axis=1)


@cache
def _rings(side: int) -> np.ndarray:
    """Return the weight of each wave vector in each ring, one column per ring."""
    wavenumbers = np.fft.fftfreq(side) * side
    ring = np.round(np.hypot(*np.meshgrid(wavenumbers, wavenumbers))).ravel()
    inside = ring[:, np.newaxis] == np.arange(1, side // 2 + 1)
    areas = np.pi * 2.0 * np.arange(1, side // 2 + 1)
    weights: np.ndarray = inside / inside.sum(axis=0) * areas
    return weights


def _different(distances: np.ndarray) -> int:
    return len(np.unique(distances)) if bool(np.isfinite(distances).all()) else 0


def _candidates(*columns: pd.Series) -> np.ndarray:
    finkclass, *single = columns
    jd, first_jd, magpsf, roid, nalerthist, *scores = map(numbers, single)
    with np.errstate(invalid="ignore"):
        scored = np.logical_or.reduce([score >= LEAST_SCORE for score in scores])
        of_kind = finkclass.isin(CLASSES).to_numpy(dtype=bool) | scored
        return is_hostless_candidate(of_kind, age=jd - first_jd, magpsf=magpsf, roid=roid, nalerthist=nalerthist)


def _seed(candid: Any) -> int:
    """Return what an alert's generators are seeded with, 0 without ``candid``; no generator takes a negative number."""
    return int(candid) % 2**64 if not pd.isna(candid) else 0


def _columns(science: pd.Series, template: pd.Series, candid: pd.Series) -> pd.DataFrame:
    rows = [hostless(*row) for row in zip(science, template, map(_seed, candid), strict=True)]
    types = {out.name: PANDAS_TYPES[out.type] for out in MODULE.outputs}
    return pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)


CANDIDATE_MODULE = Module(
    name="hostless_candidate",
    version="1",
    inputs=("finkclass", "candidate.jd", "candidate.jdstarthist", "candidate.magpsf", "roid", "nalerthist"),
    outputs=(Output("is_hostless_candidate", "boolean", "", "Worth a look at its stamps for a host galaxy"),),
    function=_candidates,
    optional=("snn_snia_vs_nonia", "snn_sn_vs_all", "rf_snia_vs_nonia", "rf_kn_vs_nonkn"),
)
MODULE = Module(
    name="hostless",
    version="1",
    inputs=("cutoutScience.stampData", "cutoutTemplate.stampData", "candid"),
    outputs=(
        Output(
            "kstest_science", "double", "", "Structure in the science stamp, 0 to 1; null where stamps do not differ"
        ),
        Output("kstest_template", "double", "", "The same in the template stamp"),
        Output("clipped_science", "int", "", "Pixels of the science stamp more than 3 sigma from its median"),
        Output("clipped_template", "int", "", "The same of the template stamp"),
        Output("clipped_science_centre", "int", "", "The same of the middle 14x14 pixels of the science stamp"),
        Output("clipped_template_centre", "int", "", "The same of the template stamp"),
    ),
    function=_columns,
    where="is_hostless_candidate",
)
_NAMES = tuple(output.name for output in MODULE.outputs)
