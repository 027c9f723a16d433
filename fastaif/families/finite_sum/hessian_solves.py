"""H⁻¹b by products with H alone, in working coordinates, for sums over samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...data.blas import single_threaded_blas
from ...solvers.lanczos import largest_eigenvalue
from ..damping import singular_hessian
from ..iterative import Sample, Solution, batch_rows, by_cg, by_lissa, random_probe
from .hessian_operator import WorkingHessian

Array = NDArray[Any]

_COLUMNS = 32  # right-hand sides that share products


def solve(
    H: WorkingHessian, b: Array, method: str, seed: int, tol: Any = None
) -> Solution:
    """(H + damping)⁻¹ b for b (d,) or (d, k), in θ; `tol` is one for all, or (k,).

    Raises
    ------
    numpy.linalg.LinAlgError
        H is singular or indefinite, or the method does not get anywhere.
    """
    g = H.work.gradient(b.reshape(len(b), -1))
    if not H.is_definite and H.rank_bound < len(g):
        raise singular_hessian(0.0)
    run = _by_lissa if method == "lissa" else _by_cg
    out, iterations, worst = np.empty(g.shape), 0, 0.0
    with single_threaded_blas():
        for k in range(0, g.shape[1], _COLUMNS):
            part = g[:, k : k + _COLUMNS]
            goals = tol if np.ndim(tol) == 0 else tol[k : k + _COLUMNS]
            found = run(H, part, seed, goals)
            out[:, k : k + _COLUMNS] = found.x
            iterations, worst = iterations + found.iterations, max(worst, found.residual)
    return Solution(H.work.leave(out).reshape(b.shape), iterations, worst)


def _by_cg(H: WorkingHessian, g: Array, seed: int, tol: Any) -> Solution:
    """Conjugate gradients, and a look at how soft H is along what they found."""
    found = _preconditioned(H, g, tol)
    H.refuse_flat(found.x if found.probed is None else np.hstack([found.x, found.probed]))
    return found


def _preconditioned(H: WorkingHessian, g: Array, tol: Any) -> Solution:
    """By the diagonal, or by one of few rows where that is slow."""
    inverse = 1.0 / H.diagonal[:, None]
    probe = None if H.is_surely_definite else random_probe(len(g)) * np.sqrt(H.diagonal)
    spent = 0
    if H.dual_rows:
        # The Gram matrix of the rows costs as much as so many products.
        patience = 32 + H.dual_rows // 32
        if "dual" not in H.__dict__:
            found = by_cg(H, g, lambda R: inverse * R, tol, probe, patience)
            if found.met:
                return found
            spent = found.iterations
        if H.dual is not None:
            found = by_cg(H, g, H.dual, tol, probe)
            return found._replace(iterations=spent + found.iterations)
    return by_cg(H, g, lambda R: inverse * R, tol, probe)


def _by_lissa(H: WorkingHessian, g: Array, seed: int, tol: Any) -> Solution:
    """LiSSA in units in which H has a diagonal of ones."""
    if not H.is_surely_definite:  # the series would not tell
        _by_cg(H, np.zeros((len(g), 1)), seed, None)
    units = 1.0 / np.sqrt(H.diagonal)[:, None]

    def multiply(U: Array) -> Array:
        return np.asarray(units * H(units * U))

    top = 1.1 * largest_eigenvalue(len(g), lambda u: multiply(u[:, None])[:, 0], tol=1e-2)
    batch = batch_rows(len(g), top)
    sample = _sampler(H, units, batch, seed)
    found = by_lissa(multiply, sample, units * g, top + len(g) / batch, tol)
    return found._replace(x=units * found.x)


def _sampler(
    H: WorkingHessian, units: Array, batch: int, seed: int
) -> Sample:
    """Products with H of `batch` rows, drawn afresh in every step."""
    products = H.products
    source, tail = products.sweep.source, int(products.sweep.fit_intercept)
    share = source.n_rows / batch
    rows = np.empty(batch, dtype=np.int64)

    def sample(step: int, U: Array) -> Array:
        get("random_rows")(seed, step, source.n_rows, rows)
        V = products.features(np.asarray(source.x[rows]))
        m, W = V.shape[1], units * U
        T = share * products.curvatures[rows, None] * (V @ W[:m] + W[m:].sum(axis=0))
        out = H.rest(W)
        out[:m] += V.T @ T
        if tail:
            out[m] += T.sum(axis=0)
        return np.asarray(units * out)

    return sample


def inverse_diagonal(H: WorkingHessian, least: Array, n_probes: int = 32) -> Array:
    """diag((H + damping)⁻¹) in θ, shape (d,): an estimate from random signs.

    `least` (d,) is a lower bound, like 1 / H_jj, for what the estimate gets wrong.
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(least.size, n_probes))
    found = np.mean(signs * solve(H, signs, "cg", 0, 1e-4).x, axis=1)
    return np.maximum(found, least)
