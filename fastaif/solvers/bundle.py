"""The minimum of a maximum of convex quadratics, by way of its dual.

    min_θ max_j L_j(θ),   L_j = θᵀA_jθ − 2 b_jᵀθ + c_j

is the maximum over mixtures λ in the simplex of q(λ) = min_θ Σ λ_j L_j(θ): as many unknowns
as there are quadratics. q is a lower bound on the minimum of whatever all of them bound from
below, so that cutting planes made of quadratics prove how far from it a point is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MAX_STEPS = 100
_ROUNDING = 1e-14


@dataclass(frozen=True)
class Cut:
    """One quadratic: A (d, d), b (d,), c."""

    A: Array
    b: Array
    c: float

    def value(self, theta: Array) -> float:
        """L_j(θ)."""
        return float(theta @ (self.A @ theta) - 2.0 * self.b @ theta + self.c)


@dataclass(frozen=True)
class Mixture:
    """The best mixture λ (k,), its minimiser θ (d,), and q(λ)."""

    shares: Array
    theta: Array
    bound: float


def best_mixture(cuts: list[Cut], shares: Array) -> Mixture:
    """Maximise q over the simplex, from the shares given (k,): Newton's method on its support.

    On the support L_j all have the same value t at the optimum. A share that a step would
    turn negative stops it there and leaves; a quadratic above t comes in.
    """
    shares = np.array(shares) / np.sum(shares)
    here = _minimiser(cuts, shares)
    for _ in range(_MAX_STEPS):
        support = shares > 0.0
        size = _ROUNDING * max(np.abs(here.values).max(), 1e-300)
        highest = int(np.argmax(np.where(support, -np.inf, here.values)))
        above = -np.inf if support.all() else here.values[highest] - shares @ here.values
        spread = float(np.ptp(here.values[support]))
        if max(above, spread) <= size:
            break
        support[highest] |= above > max(spread, size)
        step = _newton_step(cuts, here, support)
        if step[highest] < 0.0 and shares[highest] == 0.0:  # its time has not come
            support[highest] = False
            step = _newton_step(cuts, here, support)
        moved = _line_search(cuts, shares, step, here)
        if moved is None:
            break
        shares, here = moved
    return Mixture(shares, here.theta, float(shares @ here.values))


class _Minimiser(NamedTuple):
    """θ that minimises Σ λ_j L_j, the values L_j there, and the factor of Σ λ_j A_j."""

    theta: Array
    values: Array
    factor: Array


def _minimiser(cuts: list[Cut], shares: Array) -> _Minimiser:
    from scipy.linalg.lapack import dpotrf, dpotrs

    A = np.zeros(cuts[0].A.shape, order="F")
    b = np.zeros(len(A))
    for share, cut in zip(shares, cuts, strict=True):
        if share > 0.0:
            A += share * cut.A
            b += share * cut.b
    ridge = 0.0
    while True:
        factor, info = dpotrf(A, lower=1, overwrite_a=0)
        if info == 0:
            break
        ridge = max(10.0 * ridge, 1e-15 * float(np.trace(A)) / len(A))
        A[np.diag_indices(len(A))] += ridge
    theta = np.asarray(dpotrs(factor, b, lower=1)[0])
    return _Minimiser(theta, np.array([cut.value(theta) for cut in cuts]), np.asarray(factor))


def _newton_step(cuts: list[Cut], here: _Minimiser, support: Array) -> Array:
    """The step of λ, on the support and with sum zero, to the top of q's quadratic model."""
    from scipy.linalg.lapack import dpotrs

    places = np.flatnonzero(support)
    slopes = np.column_stack([2.0 * (cuts[k].A @ here.theta - cuts[k].b) for k in places])
    bend = 0.5 * slopes.T @ dpotrs(here.factor, slopes, lower=1)[0]
    k = len(places)
    size = np.trace(bend) / k + 1e-300
    system = np.zeros((k + 1, k + 1))
    system[:k, :k] = bend
    # Attacks that are nearly the same make it singular.
    system[np.diag_indices(k)] += 1e-13 * size
    system[:k, k] = system[k, :k] = size  # as large as the rest, whatever the loss's unit
    target = np.append(here.values[places] - here.values[places].mean(), 0.0)
    step = np.zeros(len(cuts))
    step[places] = np.linalg.lstsq(system, target, rcond=None)[0][:k]
    return step


def _line_search(
    cuts: list[Cut], shares: Array, step: Array, here: _Minimiser
) -> tuple[Array, _Minimiser] | None:
    """As far along the step as shares stay positive, halved until q does not fall."""
    falling = step < 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(falling, -shares / step, np.inf)
    size = min(1.0, float(room.min()))
    level = float(shares @ here.values)
    rounding = 1e-15 * abs(level)
    for _ in range(40):
        trial = np.maximum(shares + size * step, 0.0)
        trial[falling & (room <= size)] = 0.0
        trial /= trial.sum()
        there = _minimiser(cuts, trial)
        if float(trial @ there.values) >= level - rounding:
            return (trial, there) if np.any(trial != shares) else None
        size *= 0.5
    return None
