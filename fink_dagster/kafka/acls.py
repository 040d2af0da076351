"""What a user may do, as Kafka's ACLs: read topics, and use consumer groups of the user's own.

The rules only, made and read back; who is given them is ``access``'s affair. Whoever has no rule has no right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHARED = ("fink_", "ftransfer_")
"""How topics begin that are for everybody: those of filters, and those of data transfers."""
SEPARATORS = ("-", "_")
"""What may follow a user's name in the name of a consumer group. No user's name holds one, or else the groups of one
user would begin like those of another."""


def own_topics(surveys: Iterable[str]) -> tuple[str, ...]:
    """Return how topics begin that are the platform's own: of counts, and of markers, which nobody else must read."""
    return tuple(f"fink_{survey}_" for survey in surveys)


def rules_of(name: str, topics: Sequence[str] | None, surveys: Iterable[str]) -> list[AclBinding]:
    """Return the rules that let a user read.

    Parameters
    ----------
    name : str
        The user.
    topics : sequence of str or None
        What may be read; None: every user topic there is or will be.
    surveys : iterable of str
        Names of all surveys; the topics whose names begin with one after ``fink_`` are then left out.
    """
    groups = [_read(name, ResourceType.GROUP, name)]
    groups += [_read(name, ResourceType.GROUP, name + sign, begins=True) for sign in SEPARATORS]
    if topics is not None:
        return [*groups, *(_read(name, ResourceType.TOPIC, topic) for topic in dict.fromkeys(topics))]
    shared = [_read(name, ResourceType.TOPIC, start, begins=True) for start in SHARED]
    # Kafka has no pattern for the end of a name: what is not shared is taken away by how it begins.
    return [*groups, *shared, *(_nothing(name, start) for start in own_topics(surveys))]


def topics_in(rules: Iterable[AclBinding], name: str) -> tuple[str, ...]:
    """Return what rules let a user read; a name with a star at its end stands for all topics that begin so."""
    mine = [rule for rule in rules if rule.principal == _principal(name) and rule.restype == ResourceType.TOPIC]
    allowed = [rule for rule in mine if rule.permission_type == AclPermissionType.ALLOW]
    return tuple(sorted({rule.name + "*" * _is_prefix(rule) for rule in allowed}))


def holders(rules: Iterable[AclBinding]) -> set[str]:
    """Return the names of everybody whom rules are about."""
    return {rule.principal.removeprefix("User:") for rule in rules}


def every_rule(name: str | None = None) -> AclBindingFilter:
    """Return what finds all rules about a user, or about anybody."""
    anything: Any = None  # as the binding documents it, though not as it is typed
    principal = anything if name is None else _principal(name)
    of_all = (ResourceType.ANY, anything, ResourcePatternType.ANY)
    return AclBindingFilter(*of_all, principal, anything, AclOperation.ANY, AclPermissionType.ANY)


def _principal(name: str) -> str:
    return f"User:{name}"


def _is_prefix(rule: AclBinding) -> bool:
    return rule.resource_pattern_type == ResourcePatternType.PREFIXED


def _read(name: str, kind: ResourceType, what: str, *, begins: bool = False) -> AclBinding:
    """Allow to read, which to Kafka includes to describe."""
    pattern = ResourcePatternType.PREFIXED if begins else ResourcePatternType.LITERAL
    return AclBinding(kind, what, pattern, _principal(name), "*", AclOperation.READ, AclPermissionType.ALLOW)


def _nothing(name: str, start: str) -> AclBinding:
    topics = (ResourceType.TOPIC, start, ResourcePatternType.PREFIXED)
    return AclBinding(*topics, _principal(name), "*", AclOperation.ALL, AclPermissionType.DENY)
