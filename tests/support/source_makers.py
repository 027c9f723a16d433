"""The same rows in every form that is read block by block."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import scipy.sparse as sp

Array = npt.NDArray[Any]

CUTS = (0, 700, 701, 2500, 5200, 6000)
NAMES = [f"x{j}" for j in range(4)]


def data(loss: str = "squared_error", n: int = 6000) -> tuple[Array, Array, Array]:
    """Rows of many zeros, targets of a loss, and whole weights, some of them zero."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 4)) * (rng.random((n, 4)) < 0.4)
    f = X @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.3
    y = f + rng.normal(size=n)
    if loss == "logistic":
        y = np.where(f + rng.logistic(size=n) > 0.0, 1.0, -1.0)
    return X, y, rng.integers(0, 4, size=n).astype(float)


def blocks_of(X: Array, y: Array, w: Array) -> list[tuple[Array, Array, Array]]:
    """Blocks of quite different sizes."""
    return [(X[i:j], y[i:j], w[i:j]) for i, j in pairwise(CUTS)]


class Again:
    """Blocks without numbers, which can be gone through again and again."""

    def __init__(self, blocks: list[tuple[Array, Array, Array]]) -> None:
        self.blocks, self.passes = blocks, 0

    def __iter__(self) -> Any:
        self.passes += 1
        return iter(self.blocks)


def as_parquet(X: Array, y: Array, w: Array, folder: Path, files: int = 1) -> Path:
    """Files of small row groups."""
    frame = pd.DataFrame(X, columns=NAMES).assign(target=y, weight=w)
    parts = np.array_split(np.arange(len(frame)), files)
    for number, rows in enumerate(parts):
        frame.iloc[rows].to_parquet(folder / f"part{number}.parquet", row_group_size=900)
    return folder if files > 1 else folder / "part0.parquet"


FORMS = [
    "csr", "csc", "coo array", "dask", "dask columns", "dask frame", "parquet", "folder", "blocks",
    "again", "pandas", "polars",
]  # fmt: skip


def given(form: str, X: Array, y: Array, w: Array, folder: Path) -> tuple[Any, Any, Any]:
    """X, y and sample_weight in that form."""
    if form in ("csr", "csc", "coo array"):
        kind = {"csr": sp.csr_matrix, "csc": sp.csc_matrix, "coo array": sp.coo_array}[form]
        return kind(X), y, w
    if form in ("parquet", "folder"):
        path = as_parquet(X, y, w, folder, files=3 if form == "folder" else 1)
        return str(path), "target", "weight"
    if form == "blocks":
        return blocks_of(X, y, w), None, None
    if form == "again":
        return Again(blocks_of(X, y, w)), None, None
    if form == "polars":
        return pl.DataFrame(X, schema=NAMES), pl.Series(y), pl.Series(w)
    frame = pd.DataFrame(X, columns=NAMES)
    if form == "pandas":
        return frame, pd.Series(y), pd.Series(w)
    if form == "dask frame":
        import dask.dataframe as dd

        whole = dd.from_pandas(frame.assign(y=y, w=w), npartitions=5)
        return whole[NAMES], whole["y"], whole["w"]
    import dask.array as da

    chunks = (1300, 3 if form == "dask columns" else 4)
    return da.from_array(X, chunks=chunks), da.from_array(y, chunks=1100), da.from_array(w)
