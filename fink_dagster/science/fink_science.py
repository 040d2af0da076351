"""Processors of the real fink-science as science modules: unmodified, and without a Spark session.

Here is how one is declared and called, and how its answers get nulls for what is not defined. What it is given is said
in ``arguments``; no processor is named here, those of ZTF are declared in ``fink_science_ztf``. The package is imported
where a module runs and not before, for its processors have dependencies of their own.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.util import PythonEvalType

from fink_dagster.science.arguments import Field
from fink_dagster.science.module import Module, Output, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from fink_dagster.science.arguments import Argument

NO_PROCESSOR = "no_processor"
"""Code of a module whose processor cannot be had where it runs."""
_ROW_BY_ROW = (PythonEvalType.SQL_BATCHED_UDF, PythonEvalType.SQL_ARROW_BATCHED_UDF)

Steps = tuple[str | int, ...]


def adapted(
    path: str,
    *,
    name: str,
    version: str,
    inputs: Iterable[str | Argument],
    outputs: Output | Mapping[str | int | Steps, Output],
    missing: tuple[object, ...] = (),
    owner: str = "fink-science",
) -> Module:
    """Declare a processor of fink-science as a science module.

    Parameters
    ----------
    path : str
        ``package.module:name`` of a UDF or pandas UDF.
    name : str
        Of the module.
    version : str
        That of the package, which must be the one installed; with ``+2`` and so on when the declaration changes.
    inputs : iterable of str or Argument
        What it takes, in its order: paths as in ``Module.inputs``, or what ``arguments`` has.
    outputs : Output or mapping
        The column it gives; of a struct, map or array the columns its parts are to be, by name, key or position, and
        by a tuple of them for a part of a part. A name must be there; a number that is not is a null.
    missing : tuple
        What it gives for a value that is not defined, besides null, NaN and infinity.
    owner : str
        Who answers for it.
    """
    arguments = tuple(Field(each) if isinstance(each, str) else each for each in inputs)
    parts: Mapping[Steps, Output] = (
        {(): outputs} if isinstance(outputs, Output) else {_steps(part): out for part, out in outputs.items()}
    )
    function = Processor(path, version.partition("+")[0], arguments, parts, missing)
    return Module(name, version, function.paths, tuple(parts.values()), function, owner=owner)


@dataclass(frozen=True)
class Processor:
    """The function of an adapted module; its parts are explained at :func:`adapted`.

    It holds the processor's name, not its code, and so reaches processes that only import the package.
    """

    path: str
    release: str
    arguments: tuple[Argument, ...]
    parts: Mapping[Steps, Output]
    missing: tuple[object, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Columns it takes, each once."""
        return tuple(dict.fromkeys(path for argument in self.arguments for path in argument.paths))

    def __call__(self, *columns: pd.Series) -> pd.DataFrame:
        """Call the processor, and return a column per output.

        Raises
        ------
        Unavailable
            ``no_processor`` when it cannot be had.
        """
        given = pd.DataFrame(dict(zip(self.paths, columns, strict=True)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pandas and Spark at its old ways; who reads ours cannot mend them
            udf = udf_of(self.path, self.release)
            answers = _called(udf, [argument.column(given) for argument in self.arguments])
        filled = {out.name: [self._cell(answer, steps) for answer in answers] for steps, out in self.parts.items()}
        return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in filled.items()})

    def _cell(self, answer: Any, steps: Steps) -> Any:
        value, names = _part(answer, steps), self.parts[steps].fields
        if names and value is not None:
            return {name: self._defined(value[name]) for name in names}
        return self._defined(value)

    def _defined(self, value: Any) -> Any:
        """Return a value, None where it is not defined."""
        is_no_number = isinstance(value, float | np.floating) and not np.isfinite(value)
        return None if is_no_number or value in self.missing else value


class _Pandas1:
    """Pandas, and the one thing that fink-science 7.4.0 takes from its first version: a ``read_csv`` that squeezes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pd, name)

    @staticmethod
    def read_csv(*arguments: Any, squeeze: bool = False, **options: Any) -> pd.DataFrame | pd.Series:
        table = pd.read_csv(*arguments, **options)
        return table.squeeze("columns") if squeeze else table


@cache
def udf_of(path: str, release: str) -> Any:
    """Return a processor; one that cannot be had is looked for again the next time.

    Parameters
    ----------
    path : str
        ``package.module:name`` of a UDF or pandas UDF.
    release : str
        The package's, which must be the one installed.

    Raises
    ------
    Unavailable
        ``no_processor`` when it cannot be had.
    """
    place, _, name = path.partition(":")
    package = _imported(place.partition(".")[0])
    installed = getattr(package, "__version__", None)
    if installed != release:
        text = f"must be {release}, as declared; got {installed}; install the one, or declare the other"
        raise Unavailable(NO_PROCESSOR, f"{package.__name__} {text}")
    module = _imported(place)
    if vars(module).get("pd") is pd:
        module.pd = _Pandas1()  # type: ignore[attr-defined]  # this module's name alone
    udf = getattr(module, name, None)
    if getattr(udf, "evalType", None) not in (*_ROW_BY_ROW, PythonEvalType.SQL_SCALAR_PANDAS_UDF):
        text = f"must be a UDF or pandas UDF of Spark; got {type(udf).__name__}; name one"
        raise Unavailable(NO_PROCESSOR, f"{path} {text}")
    return udf


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0].replace("_", "-")
        got, way_out = str(error), f"pip install {package} where modules run"
    except Exception as error:  # noqa: BLE001 - somebody else's code may raise anything against a newer library
        got, way_out = f"{type(error).__name__}: {error}", "install what it was written for"
    raise Unavailable(NO_PROCESSOR, f"{name} must be importable; got {got}; {way_out}")


def _called(udf: Any, columns: list[pd.Series]) -> list[Any]:
    """Return what a UDF gives for each alert: a value, a dict or a sequence."""
    if udf.evalType in _ROW_BY_ROW:
        return [udf.func(*row) for row in zip(*(map(_plain, column) for column in columns), strict=True)]
    answer = udf.func(*columns)
    return list(answer.to_dict("records") if isinstance(answer, pd.DataFrame) else answer)


def _part(value: Any, steps: Steps) -> Any:
    for step in steps:
        if value is None:
            return None
        if isinstance(step, str):
            value = value[step]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            items = list(value)
            value = items[step] if -len(items) <= step < len(items) else None
    return value


def _steps(part: str | int | Steps) -> Steps:
    return part if isinstance(part, tuple) else (part,)


def _plain(value: Any) -> Any:
    """Return a value as a UDF that is called row by row receives it: with lists, and None for null."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return None if isinstance(value, float) and np.isnan(value) else value
