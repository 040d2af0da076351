"""The one claim no night is closed without: its account adds up. Made by the night's own run, on its raw alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from fink_dagster.accounts.account import Account
    from fink_dagster.surveys.base import Survey

NAME = "account_closes"


def account_spec(survey: Survey) -> dg.AssetCheckSpec:
    """Return the declaration of the check."""
    return dg.AssetCheckSpec(
        NAME,
        asset=dg.AssetKey([survey.name, "raw_alerts"]),
        description="Every message is in raw_alerts or in quarantine, and every alert came out of each stage.",
    )


def account_closes(survey: Survey, account: Account) -> dg.AssetCheckResult:
    """Return the result of the check for one night."""
    return dg.AssetCheckResult(
        passed=account.closes,
        check_name=NAME,
        asset_key=dg.AssetKey([survey.name, "raw_alerts"]),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"account": dg.MetadataValue.json(account.as_books()), "why_open": "; ".join(account.why_open)},
    )
