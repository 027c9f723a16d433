"""Fits of networks of any depth: L-BFGS, then Newton's method to a stationary point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.blas import single_threaded_blas
from ...solvers.newton import Local, NewtonResult
from ...solvers.nonconvex_newton import minimize_nonconvex, steps_after
from ...solvers.quasi_newton import descend_by_lbfgs
from .derivatives import LayeredDerivatives
from .idle_units import flat_moves
from .layers import Layers

Array = NDArray[Any]

DENSE = 2500  # parameters up to which a fit forms Hessians
_ROUGH = 1e-7  # of the first gradient: where Newton's method takes over
_TOGETHER = 32  # columns of the Hessian

Batches = Callable[[], Any]


@dataclass(frozen=True)
class LayeredObjective:
    """L(θ) = E ℓ + α Σ‖W_l‖² on batches of (X, y, ω); `hessians` says whether with its Hessian.

    `batches` starts an iteration over them anew.
    """

    derivatives: LayeredDerivatives
    batches: Batches
    alpha: float
    gauge: bool
    hessians: bool = True

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Hessian (empty where it is not asked for) and yardstick at θ."""
        layers, d = self.derivatives.layers, theta.size
        value = self.alpha * self.derivatives.penalty(theta)
        gradient = self.alpha * self.derivatives.penalty_gradient(theta)
        H, yardstick = np.zeros((d, d) if self.hessians else (0, 0)), 0.0
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            for X, y, w in self.batches():
                run, _, deltas = self.derivatives.at(theta, X, y, w)
                value += float(w @ self.derivatives.head.value(run.outputs, y))
                gradient = gradient + layers.gradient(run, deltas)
                yardstick += _row_norms(run.inputs, deltas)
                if self.hessians:
                    H += _hessian(self.derivatives, theta, X, y, w)
        if self.hessians:
            H = 0.5 * (H + H.T) + 2.0 * self.alpha * np.diag(layers.penalized)
            flat = flat_moves(layers, theta, self.alpha, self.gauge)
            H += float(np.abs(np.diagonal(H)).mean()) * (flat @ flat.T)
        return Local(value, gradient, H, yardstick)


def _hessian(
    derivatives: LayeredDerivatives, theta: Array, X: Array, y: Array, w: Array
) -> Array:
    d = theta.size
    out, identity = np.empty((d, d)), np.eye(d)
    for start in range(0, d, _TOGETHER):
        part = slice(start, start + _TOGETHER)
        out[part] = derivatives.hess_vecs(theta, X, y, w, identity[part])
    return out


def _row_norms(inputs: list[Array], deltas: list[Array]) -> float:
    """Σ ‖∇_θ‖ of rows: each layer's is an outer product."""
    squares = sum(
        (1.0 + (a * a).sum(axis=1)) * (delta * delta).sum(axis=1)
        for a, delta in zip(inputs, deltas, strict=True)
    )
    return float(np.sqrt(squares).sum())


def fit_layers(
    objective: LayeredObjective,
    theta: Array,
    *,
    tol: float = 1e-12,
    max_iter: int = 2000,
    warm: bool = False,
) -> NewtonResult:
    """A local minimum of L.

    Parameters
    ----------
    objective : LayeredObjective
    theta : array (d,)
        The start.
    tol : float
        Bound on the gradient's norm relative to E ‖∇_θ ℓ_i‖.
    max_iter : int
        Of L-BFGS, and of Newton's method after it (`steps_after`).
    warm : bool
        θ is near a minimum: no L-BFGS. Networks of more than `DENSE` parameters take no
        Newton steps but L-BFGS alone, to whatever precision it reaches.
    """
    x, n_iter = np.array(theta, dtype=float), 0
    slopes = replace(objective, hessians=False)
    with single_threaded_blas():
        if x.size > DENSE:
            x, n_iter = descend_by_lbfgs(slopes, x, max_iter, 1e-3 * tol)
            local = slopes(x)
            return NewtonResult(x, local, n_iter, local.residual <= tol, False)
        if not warm:
            x, n_iter = descend_by_lbfgs(slopes, x, max_iter, _ROUGH)
        found = minimize_nonconvex(objective, x, tol=tol, max_iter=steps_after(n_iter, max_iter))
    return replace(found, n_iter=n_iter + found.n_iter)


def random_start(
    layers: Layers, rng: np.random.RandomState, moments: tuple[Array, Array], biases: Array,
    spread: float,
) -> Array:  # fmt: skip
    """θ to start from: units of unit spread over the data, outputs that sum to the targets'.

    `moments` are the inputs' means and standard deviations, so that the start, unlike the
    penalty, does not depend on their units; `biases` the last layer's, `spread` the outputs'.
    """
    mean, width = moments
    inverse = 1.0 / np.where(width > 0, width, 1.0)
    parts = []
    for number, (i, o) in enumerate(pairwise(layers.sizes)):
        W, b = rng.normal(size=(i, o)) / np.sqrt(i), 0.5 * rng.normal(size=o)
        if number == 0:
            W = W * inverse[:, None]
            b = b - mean @ W
        if number == len(layers.sizes) - 2:
            W, b = spread * W, biases
        parts.append((W, b))
    return layers.pack(parts)
