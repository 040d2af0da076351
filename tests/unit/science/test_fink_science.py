"""Processors as science modules: a made-up package stands for fink-science, its UDFs are made by the real pyspark."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fink_dagster.science import fink_science
from fink_dagster.science.arguments import Constant, WithHistory
from fink_dagster.science.fink_science import NO_PROCESSOR, adapted
from fink_dagster.science.module import Module, Output
from fink_dagster.science.run import Ran, run_modules
from fink_dagster.settings import CHECKOUT

PROCESSORS = """
    import warnings
    import numpy as np
    import pandas as pd
    from pyspark.sql.functions import pandas_udf, udf
    from pyspark.sql.types import *

    RECORD = StructType([StructField(name, DoubleType()) for name in ("mean", "skew")])
    STRUCT = StructType([StructField("a", DoubleType()), StructField("b", BooleanType())])

    @pandas_udf(DoubleType())
    def twice(x: pd.Series, factor: pd.Series) -> pd.Series:
        return x * factor

    @pandas_udf(IntegerType())
    def sentinel(x: pd.Series) -> pd.Series:
        return pd.Series(np.where(x > 0, x, -1).astype(int))

    @pandas_udf(StringType())
    def label(x: pd.Series) -> pd.Series:
        return pd.Series(["bright" if value < 0 else "Unknown" for value in x])

    @pandas_udf(STRUCT)
    def struct(x: pd.Series) -> pd.DataFrame:
        return pd.DataFrame({"a": x / 0, "b": (x > 0).astype(float)})

    @pandas_udf(MapType(StringType(), ArrayType(DoubleType())))
    def arrays(x: pd.Series) -> pd.Series:
        return pd.Series([{"all": pd.Series(np.arange(max(value, 0.0)))} for value in x])

    @udf(MapType(IntegerType(), RECORD))
    def bands(x, word):
        return {len(x): {"mean": sum(value or 0.0 for value in x), "skew": float("nan")}}

    @udf(StringType())
    def received(x, word):
        return repr((x, word))

    @pandas_udf(DoubleType())
    def old(x: pd.Series) -> pd.Series:
        means = pd.read_csv(PATH, header=None, index_col=0, squeeze=True)
        return x + means["mean"]

    @pandas_udf(DoubleType())
    def warned(x: pd.Series) -> pd.Series:
        warnings.warn("an old way", FutureWarning)
        return x

    def plain(x):
        return x
"""
ALERTS = pd.DataFrame({"x": [1.0, -2.0, 0.0], "now.x": [1.0, 2.0, 3.0], "word": ["a", None, "c"]})
ALERTS["past.x"] = pd.Series([np.array([np.nan]), None, np.array([5.0, 6.0])], dtype=object)
HISTORY = WithHistory("x", history="past", current="now")
DOUBLE = Output("y", "double", "", ".")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of version 1.0, importable while a test runs."""
    folder = tmp_path / "made_up"
    folder.mkdir()
    means = tmp_path / "means.csv"
    means.write_text("mean,100.0\n")
    (folder / "__init__.py").write_text('__version__ = "1.0"\n')
    (folder / "processor.py").write_text(textwrap.dedent(PROCESSORS).replace("PATH", repr(str(means))))
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    fink_science.udf_of.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_up"]:
        del sys.modules[name]


def _adapted(name: str, *inputs: Any, outputs: Any = DOUBLE, module: str = "processor", **others: Any) -> Module:
    path = f"made_up.{module}:{name}"
    return adapted(path, **{"name": name, "version": "1.0", "inputs": inputs or ("x",), "outputs": outputs, **others})


def _ran(module: Module) -> Ran:
    return run_modules(ALERTS, [module])


def _values(module: Module, name: str = "y") -> list[object]:
    ran = _ran(module)
    assert ran.failures == {}
    return list(ran.columns[name].astype(object).where(ran.columns[name].notna(), None))


def _failed(module: Module) -> str:
    ran = _ran(module)
    assert set(ran.status.map(lambda codes: codes[module.name])) == {NO_PROCESSOR}
    assert ran.columns["y"].isna().all()
    assert ran.failures[module.name].is_fault
    return ran.failures[module.name].text


def test_a_processor_is_a_module_with_its_inputs_in_order_each_once() -> None:
    made = adapted(
        "nowhere.processor:f",
        name="f",
        version="7.4.0+2",
        inputs=("candidate.jd", WithHistory("jd"), Constant(3), WithHistory("magpsf")),
        outputs={"a": Output("fs_a", "int", "", "."), ("b", -1): DOUBLE},
    )
    assert made.inputs == ("candidate.jd", "prv_candidates.jd", "prv_candidates.magpsf", "candidate.magpsf")
    assert [out.name for out in made.outputs] == ["fs_a", "y"]
    assert (made.name, made.version, made.owner) == ("f", "7.4.0+2", "fink-science")


def test_a_value_is_the_column(package: Path) -> None:
    assert _values(_adapted("twice", "x", Constant(2.0))) == [2.0, -4.0, 0.0]


def test_what_is_declared_missing_is_null(package: Path) -> None:
    number, text = Output("y", "int", "", "."), Output("y", "string", "", ".")
    assert _values(_adapted("sentinel", outputs=number)) == [1, -1, -1]
    assert _values(_adapted("sentinel", outputs=number, missing=(-1,))) == [1, None, None]
    assert _values(_adapted("label", outputs=text, missing=("Unknown",))) == [None, "bright", None]


def test_fields_of_a_struct_are_columns_and_no_finite_number_is_null(package: Path) -> None:
    fields = {"b": Output("y", "boolean", "", "."), "a": Output("z", "double", "", ".")}
    assert _values(_adapted("struct", outputs=fields)) == [True, False, False]
    assert _values(_adapted("struct", outputs=fields), "z") == [None, None, None]


def test_of_an_array_in_a_map_a_position_is_a_column_and_null_where_it_is_shorter(package: Path) -> None:
    assert _values(_adapted("arrays", "now.x", outputs={("all", -1): DOUBLE})) == [0.0, 1.0, 2.0]
    assert _values(_adapted("arrays", "now.x", outputs={("all", 1): DOUBLE})) == [None, 1.0, 1.0]
    assert _values(_adapted("arrays", "x", outputs={("all", -1): DOUBLE})) == [0.0, None, None]


def test_of_a_map_of_records_a_key_is_a_column_and_null_where_it_is_not(package: Path) -> None:
    record = Output("y", "", "", ".", ("mean", "skew"))
    found = _values(_adapted("bands", HISTORY, "word", outputs={2: record}))
    assert found == [{"mean": 1.0, "skew": None}, None, None]


def test_a_name_that_is_not_there_is_a_fault(package: Path) -> None:
    ran = _ran(_adapted("struct", outputs={"c": DOUBLE}))
    assert ran.failures["struct"].text == "KeyError: 'c'"
    assert ran.columns["y"].isna().all()


def test_row_by_row_a_processor_receives_lists_and_none(package: Path) -> None:
    found = _values(_adapted("received", HISTORY, "word", outputs=Output("y", "string", "", ".")))
    assert found == ["([None, 1.0], 'a')", "([2.0], None)", "([5.0, 6.0, 3.0], 'c')"]


def test_no_alerts_give_no_values(package: Path) -> None:
    for made in (_adapted("twice", "x", Constant(2.0)), _adapted("received", HISTORY, "word")):
        empty = made.function(*(ALERTS[path][:0] for path in made.inputs))
        assert isinstance(empty, pd.DataFrame)
        assert empty["y"].tolist() == []


def test_pandas_is_an_old_one_for_the_processor_alone(package: Path) -> None:
    assert _values(_adapted("old")) == [101.0, 98.0, 100.0]
    with pytest.raises(TypeError, match="squeeze"):
        pd.read_csv("means.csv", squeeze=True)


def test_what_a_processor_is_warned_of_reaches_nobody_else(package: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _values(_adapted("warned")) == [1.0, -2.0, 0.0]
        with pytest.raises(FutureWarning, match="an old way"):
            sys.modules["made_up.processor"].warned.func(ALERTS["x"])


@pytest.mark.parametrize("dumps", ["plain", "spark"])
def test_the_function_reaches_a_process_that_can_import_the_package(package: Path, dumps: str) -> None:
    made = _adapted("twice", "x", Constant(3.0))
    assert _values(made) == [3.0, -6.0, 0.0]
    if dumps == "spark":
        from pyspark import cloudpickle

        sent = cloudpickle.dumps(made)
    else:
        sent = pickle.dumps(made)
    (package.parent / "sent").write_bytes(sent)
    program = (
        "import pickle, pandas as pd; made = pickle.load(open('sent', 'rb')); "
        "print(made.function(pd.Series([1.0, 2.0]))['y'].tolist())"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(package.parent)])}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, cwd=package.parent, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[3.0, 6.0]\n", 0), done.stderr


def test_a_package_that_is_not_installed_is_one_sentence_with_the_way_out() -> None:
    assert _failed(_adapted("twice")) == (
        "made_up must be importable; got No module named 'made_up'; pip install made-up where modules run"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "import line_profiler_of_nobody.deep",
            "made_up.other must be importable; got No module named 'line_profiler_of_nobody'; "
            "pip install line-profiler-of-nobody where modules run",
        ),
        (
            "raise OSError('no model')",
            "made_up.other must be importable; got OSError: no model; install what it was written for",
        ),
        ("from numpy import nobody", "install what it was written for"),
    ],
)
def test_what_a_processor_lacks_is_named_and_it_runs_once_that_is_there(
    package: Path, text: str, sentence: str
) -> None:
    (package / "other.py").write_text(text)
    assert _failed(_adapted("twice", module="other")).endswith(sentence)
    (package / "other.py").write_text("from made_up.processor import twice  # mended\n")
    assert _values(_adapted("twice", "x", Constant(2.0), module="other")) == [2.0, -4.0, 0.0]


def test_another_version_than_declared_is_refused_for_it_stands_in_every_row(package: Path) -> None:
    sentence = "made_up must be 2.0, as declared; got 1.0; install the one, or declare the other"
    assert _failed(_adapted("twice", version="2.0")) == sentence
    assert _values(_adapted("twice", "x", Constant(2.0), version="1.0+3")) == [2.0, -4.0, 0.0]


@pytest.mark.parametrize(("name", "got"), [("plain", "function"), ("nobody", "NoneType")])
def test_what_is_no_udf_is_refused(package: Path, name: str, got: str) -> None:
    sentence = f"made_up.processor:{name} must be a UDF or pandas UDF of Spark; got {got}; name one"
    assert _failed(_adapted(name)) == sentence
