from __future__ import annotations

import hashlib
import json

from fink_dagster.stages.wire import schema_fingerprint

CANONICAL = '{"name":"topLevelRecord","type":"record","fields":[{"name":"candid","type":["long","null"]}]}'


def test_the_fingerprint_is_the_one_any_reader_makes_of_the_schema_in_the_key() -> None:
    said = hashlib.sha256(CANONICAL.encode()).hexdigest()
    schema = json.loads(CANONICAL)
    assert schema_fingerprint(CANONICAL) == said
    assert schema_fingerprint(json.dumps(schema | {"doc": "an alert"}, indent=1)) == said


def test_another_order_of_a_union_is_another_schema() -> None:
    assert schema_fingerprint(CANONICAL.replace('"long","null"', '"null","long"')) != schema_fingerprint(CANONICAL)
