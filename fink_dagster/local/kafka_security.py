"""The embedded broker's security: how it is configured to ask for a user, and how the platform becomes its first one.

Switched on by the settings of the Kafka users read from, where the embedded broker stands in for it. Users beyond the
platform, and what each may do, belong to ``fink_dagster.kafka.access``. No password is written into a file or onto a
command line: the broker's own is made at each start and handed over in its environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from fink_dagster.errors import UserError
from fink_dagster.kafka.access import MECHANISMS, credential
from fink_dagster.kafka.clients import client_config

if TYPE_CHECKING:
    from fink_dagster.settings import Settings

PROTOCOL = "SASL_PLAINTEXT"
MECHANISM = "SCRAM-SHA-512"
BROKER = "_broker"  # may do everything; no user's name can begin so
_VARIABLE = "FINK_EMBEDDED_KAFKA_LOGIN"
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_ASK_SECONDS = 5.0

# PLAIN admits the broker alone, to itself; the controller cannot check a SCRAM login before it has read its own log.
_PROPERTIES = """
config.providers=env
config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider
config.providers.env.param.allowlist.pattern={variable}
sasl.enabled.mechanisms={mechanism},PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=${{env:{variable}}}
listener.name.sasl_plaintext.plain.sasl.jaas.config=${{env:{variable}}}
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
# Whoever is given nothing may do nothing.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{broker};User:{platform}
"""


def must_be_possible(settings: Settings) -> None:
    """Refuse what the embedded broker cannot be asked for.

    Raises
    ------
    UserError
        When it is to be secured otherwise than by SASL_PLAINTEXT and SCRAM-SHA-512, or for no user or a strange one.
    """
    if not settings.embedded_kafka_is_secured:
        return
    ours = settings.distribution_kafka
    if (ours.security_protocol, ours.sasl_mechanism) != (PROTOCOL, MECHANISM):
        wanted = f"the embedded broker can be secured by {PROTOCOL} with {MECHANISM} only"
        got = f"got {ours.security_protocol[:40]!r} with {ours.sasl_mechanism[:40]!r}"
        raise UserError(
            f"kafka: {wanted}; {got}; correct FINK_DISTRIBUTION_KAFKA__SECURITY_PROTOCOL or set its ADDRESS"
        )
    client_config(ours, settings.embedded_kafka_address)
    if not _PLATFORM.fullmatch(ours.username or ""):
        wanted = "the platform's user must be at most 64 letters, digits, dots and hyphens"
        message = f"kafka: {wanted}; got {(ours.username or '')[:40]!r}; correct FINK_DISTRIBUTION_KAFKA__USERNAME"
        raise UserError(message)


def properties(settings: Settings) -> str:
    """Return what a secured broker is configured with besides its listeners; no secret is in it."""
    platform = settings.distribution_kafka.username
    return _PROPERTIES.format(variable=_VARIABLE, mechanism=MECHANISM, broker=BROKER, platform=platform)


def broker_login(password: str) -> dict[str, str]:
    """Return the environment in which the broker finds its own login.

    Parameters
    ----------
    password : str
        Made for this start of the broker, of characters that need no quoting.
    """
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {_VARIABLE: f'{module} required username="{BROKER}" password="{password}" user_{BROKER}="{password}";'}


def admit_platform(settings: Settings, password: str) -> bool:
    """Give the platform's user its password, by the broker's own login; return whether that could be done yet."""
    ours = settings.distribution_kafka
    assert ours.username is not None
    assert ours.password is not None
    config = client_config(ours, settings.embedded_kafka_address)
    broker = {"sasl.mechanism": "PLAIN", "sasl.username": BROKER, "sasl.password": password}
    change = credential(ours.username, ours.password, MECHANISMS[MECHANISM])
    admin = AdminClient({**config, **broker})  # named: the answer never comes when the client is collected before it
    try:
        admin.alter_user_scram_credentials([change], request_timeout=_ASK_SECONDS)[ours.username].result()
    except KafkaException:
        return False
    return True
