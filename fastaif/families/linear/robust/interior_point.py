"""Robust optima by a primal-dual interior-point method that does not care about kinks.

    min Σ w̄ ψ(f_i, κ) + α‖β‖² + Σ λ_j |β_j|,  κ ≥ ρ‖Dβ‖_q

with the inner maxima ψ (`row_terms`), the norm (`norm_terms`) and what an l1 penalty adds
(`l1_terms`) as constraints that slacks keep apart. An iteration makes one weighted Gram matrix
ZᵀAZ, whatever p, the loss and the number of kinks, and takes Mehrotra's predictor and corrector
with it: some ten to twenty of them lead from anywhere to an objective that is known to nine digits
and more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm
from .design import Design
from .dual_points import DualPoint
from .far_rows import FarRows
from .l1_terms import L1Terms
from .near_far import Rows
from .norm_terms import NormTerms
from .objective import Kinks, RobustProblem

Array = NDArray[Any]
_FIRST = 0.1  # of the objective: the gap that a start on the central path is given
_CLOSE, _WARY = 0.995, 0.9  # of the way to the boundary: after a long step, and a short one
_SHORT = 0.5
_FEW, _MANY = 6, 40  # halvings of a step, with Mehrotra's correction and without
_STUCK = 0.1  # a step so short leads nowhere
_SLOW, _SAFE = 0.5, 0.3  # of the gap two steps ago; what μ then shrinks by
_MOST = 10.0  # by which μ may grow then
_CENTRAL = 10.0  # gaps, up to which a residual is that of the central path
_RESORTED = 0.1  # of the gap, until rows are sorted again
_LEAST = 1e-4  # of μ: how much a step may aim to shrink it


class InteriorPoint:
    """An iterate, and what leads to the next.

    Attributes
    ----------
    theta : array (d,)
    gap : float
        Σ s z over the objective: the relative duality gap where `residual` is nothing.
    residual : float
        What the conditions other than s z = 0 lack, relative to their terms.
    """

    def __init__(
        self, problem: RobustProblem, design: Design, theta: Array, near: Array,
        wide: bool = False, width: float = 0.0, far: FarRows | None = None,
        f: Array | None = None,
    ) -> None:  # fmt: skip
        self._problem, self._design, self.theta = problem, design, theta.copy()
        self._free = np.flatnonzero(problem.weights > 0)
        self._scale = problem.weights[self._free]
        self._f: Array | None = design.predict(theta) if f is None else f
        self.rows: Rows = problem.shared_rows(theta, self.f) or Rows(
            problem, design, theta, self.f, near, wide, far
        )
        self.norm = NormTerms(problem.q, self._free.size)
        self.l1 = L1Terms(np.zeros(theta.size) if problem.l1 is None else problem.l1)
        self._start(theta, width)

    @property
    def _u(self) -> Array:
        return np.asarray(self._scale * self.theta[self._free])

    @property
    def kappa(self) -> float:
        """κ ≥ ρ‖Dβ‖_q."""
        return self._problem.rho * self.norm.tau

    @property
    def _count(self) -> int:
        """How many products s z there are."""
        coefs = self.norm.pairs.slack.size + self.l1.pairs.slack.size
        return int(coefs) + self.rows.n_pairs

    @property
    def _product(self) -> float:
        rows = 0.0 if self.rows.pairs is None else self.rows.pairs.product
        return self.norm.pairs.product + self.l1.pairs.product + rows

    @property
    def f(self) -> Array:
        """Zθ (n,)."""
        if self._f is None:
            self._f = self._design.predict(self.theta)
        return np.asarray(self._f)

    def _start(self, theta: Array, width: float) -> None:
        problem, design, loss = self._problem, self._design, self._problem.sweep.loss
        y, w, rho = design.targets, design.weights, problem.rho
        size = float(lp_norm(self._u, problem.q))
        value = problem.worst(self.f, y, rho * size, w) + problem.penalty(theta)
        steep = float(w @ np.abs(loss.slope(self.f, y)))
        k = self._free.size
        mu = _FIRST * abs(value) / (2.0 * (k + self.l1.places.size) + self.rows.n_pairs)
        if width > 0.0:
            mu = min(mu, 0.5 * width * steep / y.size)
        slack = k * mu / (rho * steep or 1.0)
        self._length, self._before = 1.0, (np.inf, np.inf)
        self.l1.start(theta, mu)
        self._set_norm(min(slack, size) if size > 0.0 else slack, rho * steep or 1.0)
        self.rows.start(self.f, self.kappa, mu)
        self.rows.refresh(self.theta, self.kappa)
        self._set_norm(self.norm.tau - size, rho * self.rows.along_kappa)
        self._assemble(refreshed=True)
        self._sorted = self.gap

    def _set_norm(self, slack: float, weight: float) -> None:
        self.norm.start(self._u, slack, weight)

    def _assemble(self, refreshed: bool = False) -> None:
        """The pass: derivatives, their matrix and the residuals at this iterate."""
        problem = self._problem
        if not refreshed:
            self.rows.refresh(self.theta, self.kappa)
        self.norm.refresh(self._u)
        self.l1.refresh(self.theta)
        self._system = self.rows.system(
            self._free, self._scale,
            2.0 * problem.alpha * problem.penalized + self.l1.curvature(), problem.rho,
            self.norm.curvature(),
        )  # fmt: skip
        if self.rows.is_pass:
            problem.count_pass()
        gradient = self.rows.gradient + 2.0 * problem.alpha * problem.penalized * self.theta
        gradient[self._free] += self._scale * self.norm.force
        gradient[self.l1.places] += self.l1.force
        self._measure(gradient)

    def _measure(self, gradient: Array) -> None:
        problem = self._problem
        self.value = self.rows.value + problem.penalty(self.theta)
        self.gap = self._product / (abs(self.value) or 1.0)
        self.residual = max(
            float(np.linalg.norm(gradient)) / (self.rows.yardstick or 1.0),
            self.norm.residual(problem.rho * self.rows.along_kappa), self.rows.residual,
            self.l1.residual,
        )  # fmt: skip

    def advance(self, floor: float, sorts: bool = True) -> float:
        """One step; the gap is not meant to fall below `floor`. The step's length is returned."""
        mu = self._product / self._count
        if mu == 0.0:  # nothing of the gap is left: targets that are fitted exactly
            return 0.0
        self._turn_to(0.0, False)
        t = self._reach()
        after = self.norm.pairs.product_after(t) + self.l1.pairs.product_after(t)
        if self.rows.pairs is not None:
            after += self.rows.pairs.product_after(t)
        share = max(min(max(after / self._product, 0.0), 1.0) ** 3, _LEAST)
        if self._length < _STUCK:  # the gap has run ahead of the other conditions, or is uneven
            share = min(max(1.0, self.residual / self.gap), _MOST)
        # Where slopes bend, what comes too near the boundary makes the steps that follow short.
        wary = self._length <= _SHORT and not self._problem.is_quadratic
        close = _WARY if wary else _CLOSE
        cycles = self.gap > _SLOW * self._before[0]
        if cycles:  # corrections may lead round in circles
            share = max(share, _SAFE)
        self._before = (self._before[1], self.gap)
        aim = max(share * mu, floor * abs(self.value) / self._count)
        self._turn_to(aim, not cycles)
        t = self._search(min(1.0, close * self._reach()), aim, _FEW)
        if t == 0.0:  # the correction was no help
            self._turn_to(aim, False)
            t = self._search(min(1.0, close * self._reach()), aim, _MANY)
        self._length = t
        self._move(t)
        self._assemble()
        if sorts and self.gap <= _RESORTED * self._sorted:
            self.sort()
        return t

    def sort(self) -> bool:
        """Look again at which rows are near their kinks."""
        self._sorted = self.gap
        mu = self._product / self._count
        # Far from the central path a row's multipliers tell little of where it will end.
        settles = self.residual <= _CENTRAL * self.gap
        if not self.rows.sort(self.f, self.theta, self.kappa, mu, self.gap, settles):
            return False
        self._assemble()
        return True

    def _turn_to(self, mu: float, second: bool) -> None:
        """The direction to a centre of that μ."""
        problem = self._problem
        gradient, right_kappa = self.rows.right(mu, second)
        gradient += 2.0 * problem.alpha * problem.penalized * self.theta
        along_u, along_tau = self.norm.right(mu, second)
        gradient[self._free] += self._scale * along_u
        gradient[self.l1.places] += self.l1.right(mu, second)
        step, self._dtau = self._system.solve(gradient, problem.rho * right_kappa + along_tau)
        self._dtheta = step
        self.norm.turn(self._scale * step[self._free], self._dtau)
        self.l1.turn(step)
        self.rows.turn(step, problem.rho * self._dtau)

    def _reach(self) -> float:
        far = min(self.norm.reach(), self.l1.pairs.reach())
        return far if self.rows.pairs is None else min(far, self.rows.pairs.reach())

    def _search(self, t: float, mu: float, halvings: int) -> float:
        """Halve the step until the barrier's value, with defects as a penalty, does not grow; 0
        where that takes too long. Where all is quadratic it never grows."""
        if self._problem.is_quadratic:
            return t
        self.rows.prepare_search()
        here = self._merit(0.0, mu)
        bound = here + 1e-12 * abs(here)
        for _ in range(halvings):
            if self._merit(t, mu) <= bound:
                return t
            t *= 0.5
        return 0.0

    def _merit(self, t: float, mu: float) -> float:
        theta = self.theta + t * self._dtheta
        kappa = self._problem.rho * (self.norm.tau + t * self._dtau)
        rows = self.rows.merit(kappa, t, mu)
        norm = self.norm.merit(self._scale * theta[self._free], t, mu)
        squares = self._problem.alpha * float(self._problem.penalized @ theta**2)
        return rows + norm + squares + self.l1.merit(theta, t, mu)

    def _move(self, t: float) -> None:
        self.theta, self._f = self.theta + t * self._dtheta, None
        self.norm.advance(t)
        self.l1.advance(t)
        self.rows.advance(t)

    def kinks(self) -> Kinks:
        """The constraints whose multipliers outweigh their slacks at both ends."""
        return Kinks(*self.rows.kinks(), self._coefs(), self.l1.zeros())

    def multipliers(self) -> DualPoint:
        """The dual point of the rows."""
        return self.rows.multipliers(self.f, self._problem.rho * self._problem.norm(self.theta))

    def nearness(self) -> Array:
        """(m,) How near each coefficient seems to be to zero; −∞ where nobody attacks it."""
        pairs, out = self.norm.pairs, np.full(self._problem.m, -np.inf)
        out[self._free] = np.min(pairs.multiplier / pairs.slack, axis=0)
        return out

    def _coefs(self) -> Array:
        pairs, out = self.norm.pairs, np.zeros(self._problem.m, dtype=bool)
        total = pairs.multiplier.sum(axis=0)
        if self._free.size == 1 and np.isfinite(self._problem.q):
            return out  # its norm has no kink but at zero, where nothing is left to attack
        if np.isinf(self._problem.q):
            near = pairs.slack.min(axis=0) / self.norm.tau
            out[self._free] = pairs.multiplier.max(axis=0) / total.sum() > near
        else:
            on = pairs.multiplier / total > pairs.slack / self.norm.tau
            out[self._free] = on.all(axis=0)
        return out
