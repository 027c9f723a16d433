"""Random cases of data, models and attacks, forms that rows come in, and what goes wrong there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import scipy.sparse as sp
from oracles import linear as twin

import fastaif as fa
from support.makers import LOSS, targets

Array = npt.NDArray[Any]
Given = tuple[Any, Any, Any]

DELTA, EPS = 1.3, 0.05
ORDERS = [1.0, 1.5, 2.0, 3.0, np.inf]


@dataclass
class Case:
    """A model that is fitted to rows, and an attack on it."""

    rng: np.random.Generator
    kind: str
    X: Array
    y: Array
    w: Array | None
    alpha: float
    attack: dict[str, Any]
    model: Any = field(init=False)

    def __post_init__(self) -> None:
        self.model = self.unfitted().fit(self.X, self.y, self.w)

    @property
    def names(self) -> list[str]:
        return [f"x{j}" for j in range(self.X.shape[1])]

    def unfitted(self) -> Any:
        """The estimator."""
        kinds: dict[str, Callable[[], Any]] = {
            "linear": lambda: fa.LinearRegression(self.alpha),
            "logistic": lambda: fa.LogisticRegression(self.alpha),
            "poisson": lambda: fa.PoissonRegression(self.alpha),
            "huber": lambda: fa.HuberRegression(DELTA, self.alpha),
        }
        return kinds[self.kind]()

    def expected(self) -> Array:
        """The influence by plain NumPy."""
        theta = np.append(self.model.coef_, self.model.intercept_)
        found = twin.influence(
            self.X, self.y, theta, loss=LOSS[self.kind], alpha=self.alpha, delta=DELTA,
            sample_weight=self.w, **self.attack,
        )  # fmt: skip
        return np.asarray(found["influence"])

    def objective(self, theta: Array) -> float:
        """The robust objective at θ, by plain NumPy."""
        return twin.robust_objective(
            self.X, self.y, theta, EPS, loss=LOSS[self.kind], alpha=self.alpha, delta=DELTA,
            sample_weight=self.w, **self.attack,
        )  # fmt: skip


def random_case(seed: int) -> Case:
    """A case of a seed: few or many rows, dense or sparse, single or double, near or far."""
    rng = np.random.default_rng([20261129, seed])
    kind = str(rng.choice(list(LOSS)))
    n, m = int(np.exp(rng.uniform(np.log(8), np.log(3000)))), int(rng.integers(1, 7))
    X = rng.normal(size=(n, m)) * np.exp(rng.normal(size=m))
    X *= rng.random((n, m)) < rng.choice([1.0, 0.5, 0.1])
    X[0] = rng.normal(size=m)
    if rng.random() < 0.3:
        X += rng.choice([1.0, 100.0], size=m)
    if rng.random() < 0.3:
        X = np.round(4.0 * X)
    X = X.astype(rng.choice([np.float64, np.float32])).astype(np.float64)
    spread = np.maximum(X.std(axis=0), 1e-3)
    f = (X - X.mean(axis=0)) @ (rng.normal(size=m) / (spread * np.sqrt(m)))
    y = targets(kind, np.clip(f, -3.0, 3.0), rng)
    y[:2] = [1.0, -1.0] if kind == "logistic" else y[:2]
    w = rng.integers(0, 3, size=n).astype(float) if rng.random() < 0.4 else None
    if w is not None:
        w[:4] = 1.0
    attack: dict[str, Any] = {"p": float(rng.choice(ORDERS))}
    if rng.random() < 0.3:
        mask = rng.random(m) < 0.7
        mask[int(rng.integers(m))] = True
        attack["attackable"] = mask
    if rng.random() < 0.3:
        attack["radius"] = float(np.exp(rng.normal()))
    alpha = float(rng.choice([1e-3, 0.1, 1.0]))
    if rng.random() < 0.3:
        attack["feature_scale"] = np.exp(rng.normal(size=m))
    return Case(rng, kind, X, y, w, alpha, attack)


# --- the forms that rows come in -----------------------------------------------------------


def cuts(rng: np.random.Generator, n: int) -> list[int]:
    """Where blocks of any sizes begin and end."""
    inner = rng.integers(1, n, size=min(int(rng.integers(1, 12)), n - 1)) if n > 1 else []
    return [0, *sorted({int(k) for k in inner}), n]


def blocks(case: Case) -> list[tuple[Array, ...]]:
    """The rows in blocks."""
    edges = cuts(case.rng, len(case.y))
    parts = [case.X, case.y] if case.w is None else [case.X, case.y, case.w]
    return [tuple(part[i:j] for part in parts) for i, j in pairwise(edges)]


class Loader:
    """Blocks that are others in some pass, or the same in all."""

    def __init__(self, passes: Callable[[int], Any]) -> None:
        self.passes, self.made = passes, 0

    def __iter__(self) -> Any:
        self.made += 1
        return iter(self.passes(self.made))


def _laid_out(case: Case, folder: Path) -> Given:
    X = case.X
    layout = int(case.rng.integers(5))
    if layout == 1:
        X = np.asfortranarray(X)
    elif layout == 2:
        X = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    elif layout == 3:
        X = X.astype(np.float32) if (X.astype(np.float32) == X).all() else X
    elif layout == 4:
        X = X[::-1].copy()[::-1]
    X = X.view()
    X.setflags(write=False)
    return X, case.y, case.w


def _sparse(case: Case, folder: Path) -> Given:
    kind = [sp.csr_matrix, sp.csc_matrix, sp.coo_array, sp.csr_array][case.rng.integers(4)]
    X = sp.coo_matrix(case.X)
    if case.rng.random() < 0.5:  # entries in two halves, and in any order
        order = case.rng.permutation(2 * X.nnz)
        parts = (np.tile(part, 2)[order] for part in (0.5 * X.data, X.row, X.col))
        data, row, col = parts
        X = sp.coo_matrix((data, (row, col)), shape=X.shape)
    return kind(X), case.y, case.w


def _dask(case: Case, folder: Path) -> Given:
    import dask.array as da

    edges = cuts(case.rng, len(case.y))
    sizes = tuple(int(k) for k in np.diff(edges))
    width = case.X.shape[1]
    columns = (width,) if case.rng.random() < 0.7 or width == 1 else (1, width - 1)
    X = da.from_array(case.X, chunks=(sizes, columns))
    y = da.from_array(case.y, chunks=7) if len(case.y) < 200 else case.y
    return X, y, case.w


def _parquet(case: Case, folder: Path) -> Given:
    frame = pd.DataFrame(case.X, columns=case.names).assign(y=case.y)
    if case.w is not None:
        frame["w"] = case.w
    size, weight = int(case.rng.integers(1, len(frame) + 1)), None if case.w is None else "w"
    frame.to_parquet(folder / "rows.parquet", row_group_size=max(size, len(frame) // 20, 1))
    return str(folder / "rows.parquet"), "y", weight


def _memmap(case: Case, folder: Path) -> Given:
    np.save(folder / "X.npy", case.X)
    return np.load(folder / "X.npy", mmap_mode="r"), case.y, case.w


def _pandas(case: Case, folder: Path) -> Given:
    frame = pd.DataFrame(case.X, columns=case.names, index=case.rng.permutation(len(case.y)))
    return frame, case.y, case.w


FORMS: dict[str, Callable[[Case, Path], Given]] = {
    "array": _laid_out,
    "sparse": _sparse,
    "dask": _dask,
    "parquet": _parquet,
    "memory map": _memmap,
    "pandas": _pandas,
    "polars": lambda case, folder: (pl.DataFrame(case.X, schema=case.names), case.y, case.w),
    "blocks": lambda case, folder: (blocks(case), None, None),
    "loader": lambda case, folder: (_steady(blocks(case)), None, None),
    "frames": lambda case, folder: (_steady(_framed(case, blocks(case))), None, None),
}


def _steady(parts: list[Any]) -> Loader:
    return Loader(lambda _: parts)


def _framed(case: Case, parts: list[Any]) -> list[Any]:
    return [(pd.DataFrame(X, columns=case.names), *rest) for X, *rest in parts]


# --- what goes wrong ---------------------------------------------------------------------------


def _unfinished(case: Case, folder: Path) -> Given:
    X = case.X.copy()
    X[int(case.rng.integers(len(X))), int(case.rng.integers(X.shape[1]))] = np.nan
    form = _laid_out if case.rng.random() < 0.5 else _dask
    spoilt = Case.__new__(Case)
    vars(spoilt).update(vars(case), X=X, w=None)
    return form(spoilt, folder)


def _lying_chunk(case: Case, folder: Path) -> Given:
    X, y, w = _dask(case, folder)
    place, change = int(case.rng.integers(X.numblocks[0])), int(case.rng.integers(4))
    X = X.rechunk({1: -1})

    def spoil(block: Array, block_info: Any = None) -> Array:
        if block_info[0]["chunk-location"][0] != place:
            return block
        changes = (block[:-1], np.concatenate([block, block]), block[:, :0], np.tile(block, (1, 9)))
        return changes[change]

    return X.map_blocks(spoil, dtype=float, meta=case.X[:0]), y, w


def _changing(case: Case, folder: Path) -> Given:
    first = blocks(case)
    number = int(case.rng.integers(len(first)))
    block = list(first[number])
    change = int(case.rng.integers(5))
    if change == 0:
        block[1] = block[1] + 1.0
    elif change == 1:
        block[0] = np.concatenate([block[0], block[0]], axis=1)
    elif change == 2:
        block = [np.concatenate([part, part]) for part in block]
    elif change == 3:
        block[0] = block[0] + 1.0 + np.abs(block[0]).max()
    later = [*first[:number], tuple(block), *first[number + 1 :]]
    if change == 4:
        later = first[:-1] if len(first) > 1 else [*first, first[0]]
    return Loader(lambda made: first if made == 1 else later), None, None


def _wrong_indices(case: Case, folder: Path) -> Given:
    X = sp.csr_matrix(case.X)
    if X.nnz == 0:
        return X, case.y[:-1], case.w
    indices = X.indices.copy()
    place = int(case.rng.integers(X.nnz))
    indices[place] = case.rng.choice([-1, X.shape[1], 2_000_000_000])
    return sp.csr_matrix((X.data, indices, X.indptr), shape=X.shape), case.y, case.w


def _other_columns(case: Case, folder: Path) -> Given:
    first, *rest = _framed(case, blocks(case)) * 2
    others = [(X.rename(columns={"x0": "other"}), *parts) for X, *parts in rest]
    return [first, *others], None, None


FAULTS: dict[str, Callable[[Case, Path], Given]] = {
    "NaN": _unfinished,
    "a chunk of another shape": _lying_chunk,
    "blocks that change": _changing,
    "indices out of range": _wrong_indices,
    "other columns": _other_columns,
    "lengths": lambda case, folder: (case.X, case.y[:-1], case.w),
    "weights": lambda case, folder: (case.X, case.y, -np.ones(len(case.y))),
    "no such file": lambda case, folder: (os.fspath(folder / "none.parquet"), "y", None),
}
