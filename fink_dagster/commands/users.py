"""``fink-dagster users``: who may read user topics, where the Kafka they are in asks for a user.

Only arguments and printing; the work is in ``fink_dagster.kafka.access``.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from fink_dagster.errors import UserError, unknown
from fink_dagster.filters.registry import filters
from fink_dagster.kafka import access
from fink_dagster.kafka.acls import SEPARATORS, SHARED, own_topics
from fink_dagster.kafka.clients import distribution_client
from fink_dagster.kafka.topics import existing_topics
from fink_dagster.settings import load_settings
from fink_dagster.surveys import survey_names

if TYPE_CHECKING:
    from fink_dagster.settings import Settings

app = typer.Typer(help="Users of user topics, and what they may read.", no_args_is_help=True)
_PASSWORD_BYTES = 24
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="A letter, then at most 31 letters and digits.")],
    topics: Annotated[
        str | None, typer.Option(help="Only these may be read, with commas between; default: all user topics.")
    ] = None,
    all_topics: Annotated[
        bool, typer.Option("--all-topics", help="All user topics may be read, also those to come; the default.")
    ] = False,
) -> None:
    """Let somebody read user topics, in consumer groups named NAME, NAME-... or NAME_...

    The password is that in FINK_NEW_USER_PASSWORD. Where that is not set, one is made and printed, this once.

    Example: fink-dagster users add alice --topics fink_sso_ztf_candidates_ztf
    """
    settings = load_settings()
    if topics is not None and all_topics:
        message = "users add: must be given --topics or --all-topics; got both; leave one out"
        raise UserError(message)
    access.must_ask_for_users(settings)
    wanted = None if topics is None else _readable(settings, topics)
    made = settings.new_user_password is None
    password = settings.new_user_password or SecretStr(secrets.token_urlsafe(_PASSWORD_BYTES))
    access.add_user(settings, name, password, wanted, survey_names())
    what = "all user topics" if wanted is None else ", ".join(wanted)
    groups = ", ".join([name, *(f"{name}{sign}..." for sign in SEPARATORS)])
    typer.echo(f"user {name} may read {what}, in the consumer groups {groups}")
    if made:
        typer.echo(f"password (shown this once): {password.get_secret_value()}")


@app.command("list")
def listed(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """List the users, without the platform itself, and what each may read; a name with a star is all that begin so.

    Example: fink-dagster users list
    """
    found = access.users(load_settings())
    if as_json:
        typer.echo(json.dumps([asdict(user) for user in found], indent=2))
        return
    table = Table("user", "topics", "logs in", box=None, pad_edge=False)
    for user in found:
        table.add_row(user.name, ", ".join(user.topics) or "none", "yes" if user.logs_in else "no")
    if found:
        Console().print(table)
    typer.echo(f"{len(found)} users")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The user.")]) -> None:
    """Take a user's password and rights. What the user reads at the moment ends with the next request.

    Example: fink-dagster users remove alice
    """
    access.remove_user(load_settings(), name)
    typer.echo(f"user {name} may not log in any more")


def _readable(settings: Settings, text: str) -> list[str]:
    """Return the topics named; each must be one a user can be meant to read, of a filter or there."""
    named = list(dict.fromkeys(part.strip() for part in text.split(",")))
    own, surveys = own_topics(survey_names()), survey_names()
    strange = [name for name in named if not _TOPIC.fullmatch(name) or not name.startswith(SHARED)]
    if strange or any(name.startswith(own) for name in named):
        got = (strange or [name for name in named if name.startswith(own)])[0]
        wanted = f"must begin with {' or '.join(SHARED)}, and not with {' or '.join(own)}"
        raise UserError(f"topic of a user: {wanted}; got {got[:40]!r}; see `fink-dagster users add --help`")
    of_filters = {item.topic(survey) for item in filters() for survey in surveys}
    missing = set(named) - of_filters - existing_topics(distribution_client(settings), named)
    if missing:
        raise unknown("topic", min(missing), of_filters)
    return named
