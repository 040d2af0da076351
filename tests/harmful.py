"""What a science module can do to the process it is called in."""

from __future__ import annotations

import ctypes
import os
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def sleeps(x: pd.Series) -> pd.Series:
    time.sleep(1000)
    return x


def spins(x: pd.Series) -> pd.Series:
    while True:
        pass


def exits(_: pd.Series) -> pd.Series:
    os._exit(3)


def crashes(_: pd.Series) -> pd.Series:
    ctypes.string_at(0)
    raise AssertionError


def takes_8_gib(x: pd.Series) -> np.ndarray:
    return np.ones(2**30)[: len(x)]
