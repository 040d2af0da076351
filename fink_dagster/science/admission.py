"""What a science module must declare to be taken: names, types and inputs that can be columns of a table.

The declaration alone is looked at; what the function gives is checked where it runs. Each answer says what must be,
what is, and what to do; who declares it is said by who asks.
"""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Any

from fink_dagster.science.module import PANDAS_TYPES, Limits, Output
from fink_dagster.surveys.avro import fields_of, not_null

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fink_dagster.science.module import Module

_MODULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")

PLATFORM_COLUMNS = frozenset(
    [
        "brokerEndProcessTimestamp",
        "brokerIngestTimestamp",
        "brokerStartProcessTimestamp",
        "code",
        "fink_broker_version",
        "fink_science_version",
        "headers",
        "is_duplicate",
        "kafka_timestamp",
        "night",
        "offset",
        "partition",
        "publisher",
        "quarantined_at",
        "reason",
        "science_status",
        "science_versions",
        "text",
        "topic",
        "value",
        "writer_schema",
    ]
)
"""Columns the tables have beside the survey's and the modules' own, which no module may add."""


def is_module_name(name: object) -> bool:
    """Tell whether a module can be called so."""
    return isinstance(name, str) and bool(_MODULE_NAME.fullmatch(name)) and not keyword.iskeyword(name)


def fault_in(module: Module) -> str:
    """Return what is wrong with a module by itself; empty when nothing is."""
    faults = (
        _in_texts(module),
        _in_paths(module),
        _in_outputs(module.outputs),
        fault_in_limits(module.limits),
        _in_function(module.function),
    )
    return next(filter(None, faults), "")


def taken(module: Module, makers: Mapping[str, str]) -> str:
    """Return which of a module's columns somebody else has; empty when none.

    Parameters
    ----------
    module : Module
        One without fault.
    makers : mapping
        Column, in lower case because tables do not tell cases apart -> who has it.
    """
    for output in module.outputs:
        if output.name.lower() in makers:
            return (
                f"must add columns of its own; got {output.name!r}, which {makers[output.name.lower()]} has; rename it"
            )
    return ""


def names_in(alert_schema: Any) -> set[str]:
    """Return the names, in lower case, that fields of an alert have in flat tables: its own, and those of its records.

    Parameters
    ----------
    alert_schema : dict
        Avro schema as :func:`fink_dagster.surveys.avro.by_place` returns it.
    """
    fields = fields_of(alert_schema)
    records = [kind for kind in map(not_null, fields.values()) if isinstance(kind, dict) and kind["type"] == "record"]
    return {name.lower() for names in (fields, *map(fields_of, records)) for name in names}


def unread(paths: Iterable[str]) -> str:
    """Return that a module cannot run without some paths; empty when there are none."""
    absent = ", ".join(map(repr, paths))
    if not absent:
        return ""
    return f"must read fields of the alert or columns of other modules; got {absent}; correct it, or make it optional"


def fault_in_text(declared: object, what: str) -> str:
    """Return what is wrong with a field that must be a text."""
    value = getattr(declared, what)
    if isinstance(value, str) and value:
        return ""
    return f"must have {what} as text; got {value!r:.60}; write it in quotes"


def fault_in_paths(declared: object, what: str) -> str:
    """Return what is wrong with a field that must be paths of columns."""
    value = getattr(declared, what)
    if isinstance(value, tuple) and all(isinstance(path, str) and path for path in value):
        return ""
    return f"must have {what} as a tuple of texts; got {value!r:.60}; a tuple of one ends with a comma"


def fault_in_inputs(declared: Any) -> str:
    """Return what is wrong with the columns something is to be called with."""
    absent = "must have an input; got none; name one, it says how many alerts there are"
    return fault_in_paths(declared, "inputs") or ("" if declared.inputs else absent)


def fault_in_limits(limits: object) -> str:
    """Return what is wrong with what something may take."""
    if isinstance(limits, Limits) and _is_within(limits.seconds, 86_400) and _is_within(limits.memory_mib, 2**30):
        return ""
    return f"must have limits as Limits(seconds, memory_mib), a day and 1 PiB at most; got {limits!r:.60}; correct it"


def _in_texts(module: Module) -> str:
    if not is_module_name(module.name):
        return f"must have a name of a-z, 0-9 and _ that begins with a letter; got {module.name!r:.60}; rename it"
    where = "" if isinstance(module.where, str) else f"must have where as text; got {module.where!r:.60}; correct it"
    return fault_in_text(module, "version") or fault_in_text(module, "owner") or where


def _in_paths(module: Module) -> str:
    return fault_in_inputs(module) or fault_in_paths(module, "optional")


def _in_outputs(outputs: object) -> str:
    if not (isinstance(outputs, tuple) and outputs and all(isinstance(output, Output) for output in outputs)):
        return f"must have outputs as a tuple of Output; got {outputs!r:.60}; a tuple of one ends with a comma"
    seen: set[str] = set()
    for output in outputs:
        if fault := _in_output(output):
            return fault
        if output.name.lower() in seen:
            return f"must add each column once; got {output.name!r} again; rename it"
        seen.add(output.name.lower())
    return ""


def _in_output(output: Output) -> str:
    if not _is_column(output.name):
        return f"must have outputs called by a plain word; got {output.name!r:.60}; rename it"
    if not (isinstance(output.unit, str) and isinstance(output.meaning, str)):
        return f"must say unit and meaning of {output.name!r} as text; got something else; write them in quotes"
    return _in_record(output) if output.fields else _in_type(output)


def _in_type(output: Output) -> str:
    if isinstance(output.type, str) and output.type in PANDAS_TYPES:
        return ""
    return f"must give {output.name!r} one of {', '.join(PANDAS_TYPES)}; got {output.type!r:.60}; correct it"


def _in_record(output: Output) -> str:
    fields = output.fields
    words = isinstance(fields, tuple) and all(map(_is_column, fields))
    if output.type == "" and words and len({field.lower() for field in fields}) == len(fields):
        return ""
    return (
        f"must give the record {output.name!r} no type and fields called by different plain words; got "
        f"{output.type!r:.60} and {fields!r:.60}; correct it"
    )


def _in_function(function: object) -> str:
    return "" if callable(function) else f"must have a function; got {function!r:.60}; correct it"


def _is_within(number: object, most: float) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 < number <= most


def _is_column(name: object) -> bool:
    return isinstance(name, str) and bool(_COLUMN_NAME.fullmatch(name))
