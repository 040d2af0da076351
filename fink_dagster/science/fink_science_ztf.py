"""Six processors of fink-science 7.4.0 for ZTF, declared as science modules; none runs unless somebody asks for it.

Their columns begin with ``fs_``, so that they stand beside the platform's own. How a processor is called is said in
``fink_science``, how modules are asked for in ``own``.
"""

from __future__ import annotations

from fink_dagster.science.arguments import Constant, MapOf, WithHistory
from fink_dagster.science.fink_science import adapted
from fink_dagster.science.lc_features import BANDS, FEATURES
from fink_dagster.science.module import Output

VERSION = "7.4.0"
_PACKAGE = "fink_science.ztf"

ASTEROIDS = adapted(
    f"{_PACKAGE}.asteroids.processor:roid_catcher",
    name="fs_asteroids",
    version=VERSION,
    inputs=(
        WithHistory("jd"),
        WithHistory("magpsf"),
        "candidate.ndethist",
        "candidate.sgscore1",
        "candidate.ssdistnr",
        "candidate.distpsnr1",
    ),
    outputs=Output("fs_roid", "int", "", "Asteroid flag of fink-science: 0 unlikely, 1 first, 2 Fink candidate, 3 MPC"),
)

NALERTHIST = adapted(
    f"{_PACKAGE}.nalerthist.processor:nalerthist",
    name="fs_nalerthist",
    version=VERSION,
    inputs=(WithHistory("magpsf"),),
    outputs=Output("fs_nalerthist", "int", "", "Number of measured magnitudes, of fink-science"),
)

# Upstream shifts the draws of a batch by the lowest among them, so that its rates depend on which alerts came together.
# Called for each alert alone, which takes 0.4 s, it would shift them by their own lowest, and be half an error off.
FAST_TRANSIENT_RATE = adapted(
    f"{_PACKAGE}.fast_transient_rate.processor:magnitude_rate",
    name="fs_fast_transient_rate",
    version=VERSION,
    inputs=(
        "candidate.magpsf",
        "candidate.sigmapsf",
        "candidate.jd",
        "candidate.jdstarthist",
        "candidate.fid",
        WithHistory("magpsf"),
        WithHistory("sigmapsf"),
        WithHistory("jd"),
        WithHistory("fid"),
        WithHistory("diffmaglim"),
        Constant(10_000),  # draws, as in Fink's processing of ZTF
        Constant(2023),  # seed, of upstream's own tests; Fink takes none, and the same batch gives other values
    ),
    outputs={
        "jd_first_real_det": Output("fs_jd_first_real_det", "double", "d", "First measured magnitude, JD UTC"),
        "jdstarthist_dt": Output("fs_jdstarthist_dt", "double", "d", "That minus jdstarthist"),
        "mag_rate": Output("fs_mag_rate", "double", "mag/d", "Change of magnitude since the last point in the band"),
        "sigma_rate": Output("fs_sigma_rate", "double", "mag/d", "Standard deviation of its draws"),
        "lower_rate": Output("fs_lower_rate", "double", "mag/d", "Their 5th percentile"),
        "upper_rate": Output("fs_upper_rate", "double", "mag/d", "Their 95th percentile"),
        "delta_time": Output("fs_delta_time", "double", "d", "Time between the two points"),
        "from_upper": Output("fs_from_upper", "boolean", "", "Whether the earlier of them is an upper limit"),
    },
)

AD_FEATURES = adapted(
    f"{_PACKAGE}.ad_features.processor:extract_features_ad",
    name="fs_ad_features",
    version=VERSION,
    inputs=(
        WithHistory("magpsf"),
        WithHistory("jd"),
        WithHistory("sigmapsf"),
        WithHistory("fid"),
        "objectId",
        WithHistory("distnr"),
        WithHistory("magnr"),
        WithHistory("sigmagnr"),
        WithHistory("isdiffpos"),
    ),
    outputs={
        number: Output(f"fs_lc_features_{name}", "", "", f"Features of fink-science, light curve in {name}", FEATURES)
        for number, name in BANDS.items()
    },
)

STANDARDIZED_FLUX = adapted(
    f"{_PACKAGE}.standardized_flux.processor:standardized_flux",
    name="fs_standardized_flux",
    version=VERSION,
    inputs=(
        "candid",
        "objectId",
        WithHistory("distnr"),
        WithHistory("magpsf"),
        WithHistory("sigmapsf"),
        WithHistory("magnr"),
        WithHistory("sigmagnr"),
        WithHistory("isdiffpos"),
        WithHistory("fid"),
        WithHistory("jd"),
    ),
    # No column is an array, so of its arrays the last point, which is the alert; the points before it were last in
    # earlier alerts, and Fink does not store the arrays either.
    outputs={
        ("flux", -1): Output("fs_std_flux", "double", "", "Flux of a CTAO blazar over its median in the band"),
        ("sigma", -1): Output("fs_sigma_std_flux", "double", "", "Its error"),
    },
)

ANOMALY_DETECTION = adapted(
    f"{_PACKAGE}.anomaly_detection.processor:anomaly_score",
    name="fs_anomaly_detection",
    version=VERSION,
    inputs=(MapOf({number: f"fs_lc_features_{name}" for number, name in BANDS.items()}),),
    outputs=Output("fs_anomaly_score", "double", "", "Anomaly score of the light curve, lower when more anomalous"),
    missing=(0.0,),  # where there are not both bands
)

MODULES = (ASTEROIDS, NALERTHIST, FAST_TRANSIENT_RATE, AD_FEATURES, STANDARDIZED_FLUX, ANOMALY_DETECTION)
