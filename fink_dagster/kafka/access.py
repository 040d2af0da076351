"""Who may read user topics: users, added, listed and removed, with their passwords and rights.

Nothing is kept beside Kafka, so that any cluster will do on which the platform's user may alter credentials and ACLs.
Which rights a user has is said in ``acls``; which topics there are is the caller's affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from fink_dagster.errors import OperationError, UserError, unknown
from fink_dagster.kafka.acls import every_rule, holders, rules_of, topics_in
from fink_dagster.kafka.clients import ANSWER_SECONDS, answering, distribution_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import SecretStr

    from fink_dagster.settings import Settings

MECHANISMS = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}
ITERATIONS = 8192  # twice what RFC 7677 asks for at least
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,31}")


@dataclass(frozen=True)
class User:
    """Somebody who reads.

    Parameters
    ----------
    name : str
        As which the user logs in.
    topics : tuple of str
        What may be read; a name that ends with a star stands for all that begin so.
    logs_in : bool
        Whether there is a password; without one, adding or removing the user was cut short.
    """

    name: str
    topics: tuple[str, ...]
    logs_in: bool = True


def must_ask_for_users(settings: Settings) -> ScramMechanism:
    """Return the mechanism by which users of user topics log in.

    Raises
    ------
    UserError
        When they need not, or by none of whose passwords Kafka keeps itself.
    """
    ours = settings.distribution_kafka
    if not ours.security_protocol.startswith("SASL_") or ours.sasl_mechanism not in MECHANISMS:
        got = f"got {ours.security_protocol[:40]} and {ours.sasl_mechanism[:40]}"
        way_out = "see `Users` in docs/operator.md for how to switch it on"
        message = f"users: the Kafka they read from must ask for a user by SASL and SCRAM; {got}; {way_out}"
        raise UserError(message)
    return MECHANISMS[ours.sasl_mechanism]


def credential(name: str, password: SecretStr, mechanism: ScramMechanism) -> UserScramCredentialUpsertion:
    """Return the change that gives a user a password; Kafka receives a salted hash of it."""
    info = ScramCredentialInfo(mechanism, ITERATIONS)
    return UserScramCredentialUpsertion(name, info, password.get_secret_value().encode())


def add_user(
    settings: Settings, name: str, password: SecretStr, topics: Sequence[str] | None, surveys: Iterable[str]
) -> None:
    """Let somebody read topics, in consumer groups of the user's own.

    Parameters
    ----------
    settings : Settings
        Say which Kafka.
    name : str
        Letters and digits.
    password : SecretStr
        What the user logs in with.
    topics : sequence of str or None
        What may be read; None: every user topic there is or will be.
    surveys : iterable of str
        Names of all surveys, for what is then left out.

    Raises
    ------
    UserError
        When the Kafka asks for no user, or name or password cannot be one.
    TransientError
        When no broker answers.
    OperationError
        When there is such a user, or the broker refuses.
    """
    mechanism = must_ask_for_users(settings)
    _check_name(settings, name)
    _check_password(password)
    if any(user.name == name for user in users(settings)):
        message = f"user {name}: must be a new one; got one who has rights or a password; remove it first"
        raise OperationError(message)
    admin, config = _admin(settings)
    with answering(config, f"user {name!r}"):
        # Before the password: whoever can log in has the rights meant, also when this is cut short.
        for future in admin.create_acls(rules_of(name, topics, surveys), request_timeout=ANSWER_SECONDS).values():
            future.result()
        _alter(admin, name, credential(name, password, mechanism))


def users(settings: Settings) -> list[User]:
    """Return everybody who may read, by name, without the platform itself.

    Raises
    ------
    UserError
        When the Kafka asks for no user.
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    mechanism = must_ask_for_users(settings)
    admin, config = _admin(settings)
    with answering(config, "its users"):
        asked: Any = admin.describe_user_scram_credentials(request_timeout=ANSWER_SECONDS)  # of all: one future
        found = asked.result()
        rules = admin.describe_acls(every_rule(), request_timeout=ANSWER_SECONDS).result()
    with_password = {
        name for name, known in found.items() if mechanism in [info.mechanism for info in known.scram_credential_infos]
    }
    names = {name for name in with_password | holders(rules) if _NAME.fullmatch(name)}
    names.discard(settings.distribution_kafka.username or "")
    return [User(name, topics_in(rules, name), name in with_password) for name in sorted(names)]


def remove_user(settings: Settings, name: str) -> None:
    """Take a user's password and rights; what the user has open ends with its next request.

    Raises
    ------
    UserError
        When the Kafka asks for no user, or there is none of that name.
    TransientError
        When no broker answers.
    OperationError
        When the broker refuses.
    """
    mechanism = must_ask_for_users(settings)
    there = {user.name: user for user in users(settings)}
    if name not in there:
        raise unknown("user", name, there) if there else _nobody(name)
    admin, config = _admin(settings)
    with answering(config, f"user {name!r}"):
        if there[name].logs_in:
            _alter(admin, name, UserScramCredentialDeletion(name, mechanism))
        for future in admin.delete_acls([every_rule(name)], request_timeout=ANSWER_SECONDS).values():
            future.result()


def _admin(settings: Settings) -> tuple[AdminClient, dict[str, str]]:
    config = distribution_client(settings)
    return AdminClient(dict(config)), config


def _alter(admin: AdminClient, name: str, change: UserScramCredentialUpsertion | UserScramCredentialDeletion) -> None:
    admin.alter_user_scram_credentials([change], request_timeout=ANSWER_SECONDS)[name].result()


def _check_name(settings: Settings, name: str) -> None:
    if not _NAME.fullmatch(name) or name == settings.distribution_kafka.username:
        wanted = "must be a letter and then at most 31 letters and digits, and not the platform's own"
        raise UserError(f"user name: {wanted}; got {name[:40]!r}; choose another")


def _check_password(password: SecretStr) -> None:
    text = password.get_secret_value()
    fits = SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD
    if not fits or not text.isascii() or not text.isprintable() or " " in text:
        wanted = f"must be {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} printable characters of ASCII without a space"
        raise UserError(f"password: {wanted}; got {len(text)} that do not fit; correct or unset FINK_NEW_USER_PASSWORD")


def _nobody(name: str) -> UserError:
    return UserError(f"user: must be one there is; got {name[:40]!r}, and there is none at all; see who is added")
