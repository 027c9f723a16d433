"""Objectives over θ = (β, b), made of one-pass sums, as solvers take them."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c
from ...data.blas import single_threaded_blas
from ...losses import Loss
from ...passes.hessian_products import hessian_products
from ...passes.linear import Sweep
from ...solvers.cg import conjugate_gradients
from ...solvers.limits import cholesky_fits, most_products
from ...solvers.newton import Local, NewtonResult, minimize
from ...utils.arrays import read_only
from .coordinates import measure
from .row_space import RowSpaceSteps, has_few_rows
from .working import WorkingCoordinates

Array = NDArray[Any]
_NEED = c.NEED_GRADIENT | c.NEED_HESSIAN | c.NEED_LOSS | c.NEED_YARDSTICK


def shrink(penalized: Array, theta: Array) -> Array:
    """Pθ for the penalty θᵀPθ: `penalized` is P (d, d), or its diagonal (d,)."""
    return np.asarray(penalized * theta if penalized.ndim == 1 else penalized @ theta)


def add_penalty(local: Local, theta: Array, alpha: float, penalized: Array) -> Local:
    """Add α θᵀPθ to value, gradient and Hessian; `penalized` is P, or its diagonal."""
    if alpha == 0.0:
        return local
    shrunk = shrink(penalized, theta)
    return Local(
        local.value + alpha * float(shrunk @ theta),
        local.gradient + 2.0 * alpha * shrunk,
        _with_ridge(local.hessian, 2.0 * alpha * penalized),
        local.yardstick,
    )


def _with_ridge(hessian: Array, ridge: Array) -> Array:
    """H and a matrix (d, d), or diagonal (d,); an empty H, which is not formed, stays empty."""
    if hessian.size == 0:
        return hessian
    if ridge.ndim == 2:
        return np.asarray(hessian + ridge)
    found = hessian.copy()
    found[np.diag_indices_from(found)] += ridge
    return found


@functools.lru_cache(maxsize=8)
def penalized_entries(m: int, fit_intercept: bool) -> Array:
    """1 for coefficients, 0 for the intercept, shape (d,); it cannot be written into."""
    return read_only(np.append(np.ones(m), np.zeros(int(fit_intercept))))


@dataclass(frozen=True)
class NaturalObjective:
    """L(θ) = E ℓ + α ‖β‖², with weights on the penalty's entries."""

    sweep: Sweep
    alpha: float
    penalized: Array
    # The squared error's Hessian is the same everywhere.
    constant: list[Array] = field(default_factory=list)
    forms_hessian: bool = True

    def __call__(self, theta: Array) -> Local:
        """Value, gradient, Hessian and yardstick at θ."""
        need = _NEED if self.forms_hessian and not self.constant else _NEED & ~c.NEED_HESSIAN
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self.sweep.run(theta, need)
        if not self.forms_hessian:
            hessian = np.empty((0, 0))
        else:
            hessian = self.constant[0] if self.constant else sums.hessian
        if self.sweep.loss.is_quadratic and self.forms_hessian and not self.constant:
            self.constant.append(hessian)
        local = Local(sums.loss, sums.gradient, hessian, sums.yardstick)
        return add_penalty(local, theta, self.alpha, self.penalized)


def natural_fit(
    sweep: Sweep,
    alpha: float,
    theta: Array | None = None,
    max_iter: int = 1000,
    penalized: Array | None = None,
    work: WorkingCoordinates | None = None,
    constant: list[Array] | None = None,
) -> NewtonResult:
    """Minimise L by Newton's method on the one-pass sums, in working coordinates.

    `penalized` is the penalty's P or its diagonal; by default every coefficient but the
    intercept. `work` are coordinates of their own, for a P that is not diagonal. `constant` keeps
    a squared error's Hessian between fits of the same rows to other targets; empty before the
    first. With a penalty that hardly holds separable classes f grows by one a step, as far as
    some 700.
    """
    source, d = sweep.source, sweep.n_coefs
    floor = _vanishing(alpha) if sweep.loss.is_monotone else -np.inf
    start = np.zeros(d + sweep.fit_intercept) if theta is None else np.array(theta, dtype=float)
    if penalized is None:
        penalized = penalized_entries(d, sweep.fit_intercept)
    coordinates = work or measure(source, sweep.basis, sweep.fit_intercept, sweep.executor)
    inner = dataclasses.replace(sweep, basis=coordinates.basis(sweep.basis), ball=None)
    units = np.append(coordinates.units, np.ones(start.size - d))
    shrunk = coordinates.penalized(penalized)
    few = has_few_rows(inner, 2.0 * alpha * shrunk)
    direct = cholesky_fits(start.size) and not few
    known = [] if constant is None else constant
    objective = NaturalObjective(inner, alpha, shrunk, known, direct)
    steps: NewtonSteps | RowSpaceSteps = NewtonSteps(objective, units)
    if few:
        steps = RowSpaceSteps(inner, 2.0 * alpha * shrunk, units)
    with single_threaded_blas():
        found = minimize(
            objective, coordinates.enter(start), tol=1e-12, max_iter=max_iter, floor=floor,
            units=units, solve=None if direct else steps,
        )  # fmt: skip
    return dataclasses.replace(found, x=coordinates.leave(found.x))


def _vanishing(alpha: float) -> float:
    """The value below which a loss that reaches its infimum at infinity only is on its way there.

    A penalty that holds separable classes leaves more. Squares of slopes must not underflow.
    """
    return 1e-13 if alpha == 0.0 else 1e-140


@dataclass(frozen=True)
class NewtonSteps:
    """Newton steps by conjugate gradients, for d at which a Hessian has no room.

    Where the penalty leaves H singular the gradient is still in its range, and the steps,
    preconditioned by the units alone, are those of least norm in these units.
    """

    objective: NaturalObjective
    units: Array

    def __call__(self, theta: Array, here: Local) -> tuple[Array, bool]:
        """H⁻¹ g, as precisely as the gradient is small, and whether H is singular."""
        sweep, d = self.objective.sweep, theta.size
        products = hessian_products(sweep, theta)
        ridge = (2.0 * self.objective.alpha * self.objective.penalized)[:, None]
        shrunk = int(np.count_nonzero(ridge))
        if shrunk >= sweep.n_coefs:
            inverse = 1.0 / np.maximum(products.diagonal()[:, None] + ridge, 1e-300)
        else:
            inverse = self.units[:, None] ** 2
        found = conjugate_gradients(
            lambda U: products(U) + ridge * U,
            here.gradient[:, None],
            lambda R: inverse * R,
            tol=_cg_tolerance(sweep.loss, here.residual),
            max_iter=most_products(d),
        )
        singular = found.flat or sweep.source.n_rows + shrunk < d
        return found.x[:, 0], singular


def _cg_tolerance(loss: Loss, residual: float) -> float:
    """Quadratic objectives in one step, which later ones refine; others as precisely as Newton's.

    A later step repairs what rounding left of the first: few digits of it count.
    """
    if loss.is_quadratic:
        return float(np.clip(1e-15 / max(residual, 1e-15), 1e-13, 1e-4))
    return min(1e-2, max(residual, 1e-13))
