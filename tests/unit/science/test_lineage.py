from __future__ import annotations

from fink_dagster.science.lineage import origins
from fink_dagster.science.module import Module, Output
from fink_dagster.science.registry import modules


def _module(name: str, *, needs: tuple[str, ...], optional: tuple[str, ...] = ()) -> Module:
    return Module(name, "2", needs, (Output(name, "int", "", "."),), len, optional=optional)


def _is_there(path: str) -> bool:
    return "." in path


def test_what_a_module_takes_from_another_is_traced_to_the_alert() -> None:
    first = _module("a", needs=("candidate.jd", "candidate.ra"))
    found = origins(
        [first, _module("b", needs=("a",), optional=("candidate.dec", "score")), _module("c", needs=("b", "a"))],
        _is_there,
    )
    assert found["a"].fields == ("candidate.jd", "candidate.ra")
    assert found["c"].fields == ("candidate.dec", "candidate.jd", "candidate.ra")
    assert str(found["b"]) == "b 2, from candidate.dec, candidate.jd, candidate.ra"


def test_every_column_that_is_added_has_an_origin() -> None:
    found = origins(modules(), _is_there)
    assert set(found) == {out.name for module in modules() for out in module.outputs}
    assert "prv_candidates.magpsf" in found["roid"].fields
