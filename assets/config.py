"""What one can tell the run of a night, in Dagster's launchpad or by command; what it does is in ``night``."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.
import dagster as dg
from pydantic import Field

from fink_dagster.lake.quarantine import Selection
from fink_dagster.surveys.base import Night


class Redrive(dg.Config):
    """Quarantined messages of the night: those that fit all that is said here; where nothing is said, every one."""

    code: str | None = Field(None, description="Only with this code, such as too_large.")
    topic: str | None = Field(None, description="Only of this topic.")
    partition: int | None = Field(None, ge=0, description="Only of this partition; the topic must be given.")
    offset: int | None = Field(None, ge=0, description="Only at this offset; topic and partition must be given.")


class NightConfig(dg.Config):
    """How the run of a night differs from the usual one."""

    redrive: Redrive | None = Field(
        None,
        description="Quarantined messages to try again, before the streams start, after what was wrong with them has "
        "been mended: {} for all of the night. What is refused again stays in quarantine.",
    )

    def selection(self, night: Night) -> Selection | None:
        """Return which messages are to be re-driven; None: none."""
        return Selection(night.key, **self.redrive.model_dump()) if self.redrive is not None else None
