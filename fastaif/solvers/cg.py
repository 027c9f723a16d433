"""Preconditioned conjugate gradients for several right-hand sides at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Operator = Callable[[Array], Array]

_REPLACEMENTS = 12  # restarts from a residual that was computed anew


@dataclass(frozen=True)
class Solved:
    """Where conjugate gradients stopped.

    Attributes
    ----------
    x : array (d, k)
    iterations : int
    residual : array (k,)
        ‖b − Ax‖ / ‖b‖ in the preconditioner's norm ‖r‖² = rᵀM⁻¹r, computed anew at the end.
    curvature : float or None
        pᵀAp / pᵀp of a direction that is flat or curved downwards, where one was met.
    flat : bool
        Whether that curvature is zero to working precision rather than negative.
    steepest : float
        The largest |pᵀAp| / pᵀMp that was met.
    """

    x: Array
    iterations: int
    residual: Array
    curvature: float | None = None
    flat: bool = False
    steepest: float = 0.0


def conjugate_gradients(
    multiply: Operator,
    b: Array,
    precondition: Operator,
    *,
    tol: float | Array = 1e-12,
    max_iter: int = 1000,
) -> Solved:
    """Solve A x = b for a symmetric positive definite A, column by column in step.

    Every iteration multiplies A with the columns that have not converged, in one product.
    The recursion for residuals drifts from the truth: where it says that all is well they
    are computed anew, and the iteration starts again from there while that gains digits.

    Parameters
    ----------
    multiply : callable
        (d, k) to A (d, k).
    b : array (d, k)
    precondition : callable
        (d, k) to M⁻¹ (d, k); M symmetric positive definite.
    tol : float or array (k,)
        Bound on the relative residual in M⁻¹'s norm, of each column.
    max_iter : int
        Products, over all restarts.
    """
    sizes = column_sizes(b)
    b = b / sizes
    norms = _norms(b, precondition(b))
    goals = np.broadcast_to(np.asarray(tol, dtype=float), norms.shape)
    x = np.zeros(b.shape)
    residual = np.where(norms > 0, 1.0, 0.0)
    r, left, used = b, np.flatnonzero(norms > 0), 0
    for _ in range(_REPLACEMENTS):
        if not left.size or used >= max_iter:
            break
        run = _Run(multiply, precondition, goals[left] * norms[left])
        step, count = run.start(r[:, left], max_iter - used)
        used += count
        tried = x[:, left] + step
        anew = b[:, left] - multiply(tried)
        found = _norms(anew, precondition(anew)) / norms[left]
        better = found < residual[left]
        gained = found < 0.5 * residual[left]
        x[:, left[better]] = tried[:, better]
        r = r.copy() if r is b else r
        r[:, left[better]] = anew[:, better]
        residual[left] = np.where(better, found, residual[left])
        if run.curvature is not None:
            return Solved(x * sizes, used, residual, run.curvature, run.flat, run.steepest)
        left = left[(residual[left] > goals[left]) & gained]
    return Solved(x * sizes, used, residual)


def column_sizes(b: Array) -> Array:
    """Powers of two about as large as the columns (k,): their squares may not be numbers."""
    exponents = np.frexp(np.abs(b).max(axis=0, initial=0.0))[1]
    return np.ldexp(1.0, np.where(np.any(b, axis=0), exponents - 1, 0))


def _norms(r: Array, z: Array) -> Array:
    return np.sqrt(np.maximum(np.einsum("ij,ij->j", r, z), 0.0))


class _Run:
    """Conjugate gradients from zero, without a look at the true residual."""

    def __init__(self, multiply: Operator, precondition: Operator, goals: Array) -> None:
        self.multiply, self.precondition, self.goals = multiply, precondition, goals
        self.curvature: float | None = None
        self.flat = False
        self.steepest = 0.0

    def start(self, r: Array, limit: int) -> tuple[Array, int]:
        """Steps for the residuals r (d, k), and the number of products."""
        x, r = np.zeros(r.shape), r.copy()
        p = self.precondition(r)
        rho = np.einsum("ij,ij->j", r, p)
        size = rho.copy()  # pᵀMp, by recursion
        active = np.flatnonzero(np.sqrt(rho) > self.goals)
        r, p, rho, size = r[:, active], p[:, active], rho[active], size[active]
        for count in range(limit):
            if not active.size:
                return x, count
            Ap = self.multiply(p)
            bend = np.einsum("ij,ij->j", p, Ap)
            if self._is_bad(p, bend, size):
                return x, count + 1
            step = rho / bend
            x[:, active] += step * p
            r -= step * Ap
            z = self.precondition(r)
            found = np.einsum("ij,ij->j", r, z)
            turn = found / rho
            p, size, rho = z + turn * p, found + turn**2 * size, found
            kept = np.sqrt(np.maximum(rho, 0.0)) > self.goals[active]
            if not kept.all():
                r, p, rho, size = r[:, kept], p[:, kept], rho[kept], size[kept]
                active = active[kept]
        return x, limit

    def _is_bad(self, p: Array, bend: Array, size: Array) -> bool:
        """Whether some direction is flat or curved downwards; its curvature is kept."""
        if not np.isfinite(bend).all():
            raise FloatingPointError("a product with the Hessian is not finite")
        quotients = bend / size
        self.steepest = max(self.steepest, float(np.abs(quotients).max()))
        worst = int(np.argmin(quotients))
        rounding = 8 * len(p) * np.finfo(float).eps * self.steepest
        if quotients[worst] > rounding:
            return False
        self.flat = bool(quotients[worst] >= -rounding)
        self.curvature = float(bend[worst] / (p[:, worst] @ p[:, worst]))
        return True
