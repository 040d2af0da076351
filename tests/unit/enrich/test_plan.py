from __future__ import annotations

import pytest

from fink_dagster.enrich.plan import plan_of
from fink_dagster.errors import UserError
from fink_dagster.surveys import get_survey
from tests.toy import Toy

ZTF = get_survey("ztf")


def test_a_module_runs_after_those_it_needs() -> None:
    assert [module.name for module in plan_of(ZTF, ["roid"]).modules] == ["nalerthist", "roid"]


def test_without_names_all_run_that_can() -> None:
    assert {"nalerthist", "roid"} <= {module.name for module in plan_of(ZTF).modules}
    assert plan_of(Toy()).modules == ()


@pytest.mark.parametrize("name", [module.name for module in plan_of(ZTF).modules])
def test_alone_a_module_has_all_it_looks_at(name: str) -> None:
    plan = plan_of(ZTF, [name])
    ours = {out.name for every in plan_of(ZTF).modules for out in every.outputs}
    given = {out.name for each in plan.modules for out in each.outputs}
    assert {path for each in plan.modules for path in each.reads} & ours <= given


def test_only_what_is_looked_at_is_read() -> None:
    paths = plan_of(ZTF, ["nalerthist"], with_cuts=False).paths
    assert paths == ["candid", "candidate.jd", "candidate.magpsf", "objectId", "prv_candidates.magpsf"]


def test_cuts_are_the_surveys_or_none() -> None:
    assert plan_of(ZTF).cuts == tuple(ZTF.cuts)
    assert plan_of(ZTF, with_cuts=False).cuts == ()


def test_a_misspelt_module_is_answered_with_the_near_one() -> None:
    with pytest.raises(UserError, match="got 'nalerthits'; did you mean 'nalerthist'"):
        plan_of(ZTF, ["roid", "nalerthits"])


def test_a_module_another_surveys_alerts_do_not_allow_is_asked_wrongly() -> None:
    with pytest.raises(UserError, match="roid: must be one that can run on alerts of toy"):
        plan_of(Toy(), ["roid"])
