"""Objectives over θ = (β, b), made of one-pass sums, as solvers take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import streaming
from ._compute import _types as c
from ._sums import Sweep
from .bases import Linear
from .solvers.newton import Local, NewtonResult, minimize

Array = NDArray[Any]
_NEED = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK


def add_penalty(local: Local, theta: Array, alpha: float, penalized: Array) -> Local:
    """Add α ‖θ_pen‖² to value, gradient and Hessian; `penalized` (d,) holds 0 and 1."""
    if alpha == 0.0:
        return local
    shrunk = penalized * theta
    hessian = local.hessian.copy()
    hessian[np.diag_indices_from(hessian)] += 2.0 * alpha * penalized
    return Local(
        local.value + alpha * float(shrunk @ theta),
        local.gradient + 2.0 * alpha * shrunk,
        hessian,
        local.yardstick,
    )


def penalized_entries(m: int, fit_intercept: bool) -> Array:
    """1 for coefficients, 0 for the intercept, shape (d,)."""
    return np.concatenate([np.ones(m), np.zeros(int(fit_intercept))])


@dataclass(frozen=True)
class NaturalObjective:
    """L(θ) = E ℓ + α ‖β‖²."""

    sweep: Sweep
    alpha: float

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Hessian and yardstick at θ."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self.sweep.run(theta, _NEED)
        local = Local(sums.loss, sums.gradient, sums.hessian, sums.yardstick)
        penalized = penalized_entries(self.sweep.source.n_columns, self.sweep.fit_intercept)
        return add_penalty(local, theta, self.alpha, penalized)


def column_means(source: streaming.RowSource) -> Array:
    """Weighted column means (m,), the same bits on any number of threads."""

    def work(start: int, stop: int) -> Array:
        block = source.inputs(start, stop).astype(np.float64, copy=False)
        w = source.weights(start, stop)
        total = w @ block if w.size else block.sum(axis=0)
        return np.append(total, w.sum() if w.size else stop - start)

    threads = streaming.resolve_threads(None, source.n_rows * source.n_columns)
    sums = streaming.reduce_chunks(source.chunks(), work, lambda a, b: a + b, threads)
    return np.asarray(sums[:-1] / sums[-1])


def natural_fit(
    sweep: Sweep, alpha: float, theta: Array | None = None, max_iter: int = 100
) -> NewtonResult:
    """Minimise L by Newton's method on the one-pass sums.

    With an intercept and a plain basis the columns are centred first: θ is then found in
    coordinates in which H does not see the columns' offsets, and mapped back.
    """
    source, m = sweep.source, sweep.source.n_columns
    floor = 1e-13 if sweep.loss.name == "logistic" and alpha == 0.0 else -np.inf
    start = np.zeros(m + sweep.fit_intercept) if theta is None else np.array(theta, dtype=float)
    centred = sweep.fit_intercept and sweep.basis.is_identity
    means = column_means(source) if centred else np.zeros(m)
    if centred:
        sweep = Sweep(source, sweep.loss, Linear(means, None), True, None, sweep.n_threads)
        start[m] += means @ start[:m]
    objective = NaturalObjective(sweep, alpha)
    with streaming.single_threaded_blas():
        found = minimize(objective, start, tol=1e-12, max_iter=max_iter, floor=floor)
    x = found.x.copy()
    if centred:
        x[m] -= means @ x[:m]
    return NewtonResult(x, found.local, found.n_iter, found.converged, found.singular)
