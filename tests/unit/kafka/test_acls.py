"""What a user may do, as rules: evaluated here as Kafka does, so that no broker is needed to ask what they allow."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from fink_dagster.kafka.acls import every_rule, holders, rules_of, topics_in

SURVEYS = ("ztf", "toy")


def _fits(rule: AclBinding, name: str) -> bool:
    prefixed = rule.resource_pattern_type == ResourcePatternType.PREFIXED
    return name.startswith(rule.name) if prefixed else name == rule.name


def _may_read(rules: list[AclBinding], kind: ResourceType, name: str) -> bool:
    fitting = {rule.permission_type for rule in rules if rule.restype == kind and _fits(rule, name)}
    return AclPermissionType.ALLOW in fitting and AclPermissionType.DENY not in fitting


@pytest.mark.parametrize(
    ("topic", "may"),
    [
        ("fink_sso_ztf_candidates_ztf", True),
        ("fink_of_tomorrow_toy", True),
        ("ftransfer_ztf_2018-11-29_1", True),
        ("fink_ztf_20181129", False),
        ("fink_ztf_20181129_markers", False),
        ("fink_toy_20181129_markers", False),
        ("ztf_20181129_programid1", False),
        ("__consumer_offsets", False),
    ],
)
def test_who_may_read_all_user_topics_reads_those_to_come_and_none_of_the_platforms_own(topic: str, may: bool) -> None:
    assert _may_read(rules_of("alice", None, SURVEYS), ResourceType.TOPIC, topic) is may


def test_who_is_given_topics_reads_these_and_no_other_that_begins_so() -> None:
    rules = rules_of("alice", ["fink_a_ztf", "fink_b_ztf", "fink_a_ztf"], SURVEYS)
    read = ["fink_a_ztf", "fink_a_ztf_2", "fink_b_ztf", "fink_c_ztf"]
    assert [topic for topic in read if _may_read(rules, ResourceType.TOPIC, topic)] == ["fink_a_ztf", "fink_b_ztf"]
    assert len(rules) == len({(rule.restype, rule.name) for rule in rules})


@pytest.mark.parametrize(
    ("group", "may"), [("ann", True), ("ann-1", True), ("ann_1", True), ("anna", False), ("anna-1", False), ("", False)]
)
def test_a_group_belongs_to_the_user_whose_whole_name_it_begins_with(group: str, may: bool) -> None:
    assert _may_read(rules_of("ann", None, SURVEYS), ResourceType.GROUP, group) is may


def test_nobody_is_allowed_anything_but_to_read() -> None:
    allowed = [rule for rule in rules_of("a", None, SURVEYS) if rule.permission_type == AclPermissionType.ALLOW]
    assert {rule.operation for rule in allowed} == {AclOperation.READ}


def test_rules_are_read_back_as_topics_of_their_user() -> None:
    rules = [*rules_of("alice", None, SURVEYS), *rules_of("bob", ["fink_a_ztf"], SURVEYS)]
    assert holders(rules) == {"alice", "bob"}
    assert topics_in(rules, "alice") == ("fink_*", "ftransfer_*")
    assert topics_in(rules, "bob") == ("fink_a_ztf",)
    assert topics_in(rules, "carl") == ()


def test_the_filter_of_a_users_rules_names_the_user_and_nothing_else() -> None:
    found = every_rule("alice")
    assert (found.principal, found.name, found.operation) == ("User:alice", None, AclOperation.ANY)
    assert every_rule().principal is None
