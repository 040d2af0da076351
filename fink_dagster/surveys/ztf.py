"""The Zwicky Transient Facility: everything that is ZTF and nothing that is not.

Public alerts, one Avro container a message, a topic a night (``ztf_YYYYMMDD_programid1``), labels 2.0 to 4.02.
Times are Julian dates UTC; the night is the UTC date of the exposure (Masci+2019, Patterson+2019, and the archive's
own file names).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from fink_dagster.errors import UserError
from fink_dagster.surveys.archive import ArchiveTable
from fink_dagster.surveys.base import Cut, Framing, Night, NightRule
from fink_dagster.surveys.container import AvroContainer
from fink_dagster.surveys.light_curve import LightCurve
from fink_dagster.surveys.ztf_archive import STATISTICS, TABLES

JD_OF_1970 = 2440587.5
_SCHEMA = files(__package__) / "schemas" / "ztf_alert.avsc"
_TOPIC = re.compile(r"ztf_(\d{4})(\d{2})(\d{2})_programid1")


class ZTF:
    """ZTF's public stream."""

    name = "ztf"
    alert_schema: Mapping[str, Any] = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    framing: Framing = AvroContainer()
    night_rule = NightRule("candidate.jd", JD_OF_1970)
    first_night = Night("2018-06-01")
    identifier = "candid"
    object_identifier = "objectId"
    required: Sequence[str] = ("objectId", "candid", "candidate.jd", "candidate.fid", "candidate.rb", "candidate.nbad")
    never_null: Sequence[str] = ("objectId", "candid", "candidate.jd")
    cuts: Sequence[Cut] = (
        Cut("nbad", "candidate.nbad", "==", 0),
        Cut("rb", "candidate.rb", ">=", 0.55),
        Cut("fid", "candidate.fid", "!=", 3),
    )
    """Upstream's quality cuts and its dropping of i band (fink_filters, filter_quality_cuts; fink-broker #855)."""
    topic_partitions = 16
    """As the survey's own topics have."""
    archive_tables: Sequence[ArchiveTable] = TABLES
    statistics = STATISTICS
    light_curve = LightCurve(
        mjd_zero=2400000.5,
        scale="UTC",
        band="fid",
        bands={1: "g", 2: "r", 3: "i"},
        magnitude="magpsf",
        error="sigmapsf",
        limit="diffmaglim",
        sign="isdiffpos",
        negative=("f", "0"),
    )

    def topics(self, night: Night) -> list[str]:
        """Return the one public topic of a night."""
        return [f"ztf_{night.compact}_programid1"]

    def night_of_topic(self, topic: str) -> Night | None:
        """Return the night in a topic's name, or None when it is not a name of ours."""
        match = _TOPIC.fullmatch(topic)
        if match is None:
            return None
        try:
            return Night.parse("-".join(match.groups()))
        except UserError:
            return None
