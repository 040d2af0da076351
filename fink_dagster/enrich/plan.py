"""What is to be done with every alert: which cuts, which science modules, and which fields they look at.

Nothing is read, run or written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from fink_dagster.errors import UserError
from fink_dagster.science.frame import alert_type
from fink_dagster.science.registry import get_module, modules_for, refused_for
from fink_dagster.surveys.avro import by_place, has_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from fink_dagster.science.module import Module
    from fink_dagster.surveys.base import Cut, Survey


@dataclass(frozen=True)
class Plan:
    """What is done with every alert.

    Parameters
    ----------
    survey : Survey
        Whose alerts.
    modules : tuple of Module
        In an order that respects their needs.
    cuts : tuple of Cut
        What an alert must pass to be enriched.
    """

    survey: Survey
    modules: tuple[Module, ...]
    cuts: tuple[Cut, ...]

    @cached_property
    def paths(self) -> list[str]:
        """The fields of an alert that are looked at."""
        survey, schema = self.survey, by_place(self.survey.alert_schema)
        given = {out.name for module in self.modules for out in module.outputs}
        read = {path for module in self.modules for path in module.reads} - given
        own = {survey.identifier, survey.object_identifier, survey.night_rule.field, *survey.never_null}
        own |= {cut.field for cut in self.cuts}
        return sorted(own | {path for path in read if has_path(schema, path)})

    @cached_property
    def alert(self) -> pa.StructType:
        """The type of an alert with these fields alone."""
        return alert_type(by_place(self.survey.alert_schema), self.paths)


def plan_of(survey: Survey, names: Sequence[str] | None = None, *, with_cuts: bool = True) -> Plan:
    """Return what to do with a survey's alerts.

    Parameters
    ----------
    survey : Survey
        Whose alerts.
    names : sequence of str, optional
        Science modules wanted; those whose outputs they look at run too. None for all the survey's alerts allow.
    with_cuts : bool
        Whether alerts must pass the survey's cuts.

    Raises
    ------
    UserError
        When there is no module of a name, or it cannot run on these alerts.
    """
    able = modules_for(by_place(survey.alert_schema))
    if names is not None:
        wanted = _with_their_makers(names, able, survey)
        able = [module for module in able if module.name in wanted]
    return Plan(survey, tuple(able), tuple(survey.cuts) if with_cuts else ())


def _with_their_makers(names: Sequence[str], able: Sequence[Module], survey: Survey) -> set[str]:
    """Return the names of modules and of all whose outputs they look at."""
    by_name = {module.name: module for module in able}
    refused = {entry.name: entry.sentence for entry in refused_for(by_place(survey.alert_schema))}
    maker = {out.name: module.name for module in able for out in module.outputs}
    wanted: set[str] = set()
    open_names = [get_module(name).name for name in names]
    while open_names:
        name = open_names.pop()
        if name not in by_name:
            other = f"science module {name}: must be one that can run on alerts of {survey.name}; it needs other fields"
            raise UserError(refused.get(name, other))
        if name not in wanted:
            wanted.add(name)
            open_names += [maker[path] for path in by_name[name].reads if path in maker]
    return wanted
