"""κ ≥ ρ‖u‖_q for u = Dβ, as an interior-point method sees it.

With τ = κ/ρ the norm is within τ where some a ≥ 0 of sum τ has |u_j| ≤ a_j^{1/q} τ^{1/p} for
each j: with q = 1 that is |u_j| ≤ a_j, with q = ∞ it is |u_j| ≤ τ and a does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm
from .barrier import Pairs, reach

Array = NDArray[Any]


@dataclass(frozen=True)
class Curvature:
    """The quadratic form of a Newton step in (u, τ).

    ½ Σ diagonal_j u_j² + τ cross·u + ½ corner τ² + ½ (row·u + row_corner τ)² / total
    """

    diagonal: Array
    cross: Array
    corner: float
    row: Array
    row_corner: float
    total: float


class NormTerms:
    """The constraints of one norm on k attacked coefficients.

    Attributes
    ----------
    tau : float
    pairs : Pairs
        Of a_j^{1/q} τ^{1/p} ∓ u_j.
    """

    pairs: Pairs

    def __init__(self, q: float, k: int) -> None:
        self._q = np.inf if k == 1 else q  # all norms are one
        self._has_shares = not np.isinf(self._q)

    def start(self, u: Array, tau_slack: float, weight: float) -> None:
        """Onto the central path at u; `weight` is ∂/∂τ of what the rows add."""
        k, q = u.size, self._q
        slack = tau_slack / k
        norm = float(lp_norm(u, q))
        if q == 1.0:
            self._a = slack + np.hypot(slack, u)
            self.tau = float(self._a.sum())
        else:
            self.tau = norm + tau_slack
            share = (np.abs(u) / self.tau) ** q if self._has_shares else np.zeros(k)
            self._a = self.tau * (share + (1.0 - share.sum()) / k)
        room = self._room()
        s = np.vstack([room - u, room + u])
        z = 1.0 / s
        self._refresh_slopes()
        total = z.sum(axis=0)
        self._nu = float(np.mean(total * self._by_a)) if self._has_shares else 0.0
        scale = weight / (self._nu + float(total @ self._by_tau))
        if q == 1.0:
            scale, self._nu = weight / total, weight
        else:
            self._nu *= scale
        self.pairs = Pairs.centred(s, z * scale)

    def _room(self) -> Array:
        return self._room_of(self._a, self.tau)

    def _room_of(self, a: Array, tau: float) -> Array:
        """a^{1/q} τ^{1/p}."""
        if self._q == 1.0:
            return a
        if not self._has_shares:
            return np.full(a.size, tau)
        return np.asarray(tau * (a / tau) ** (1.0 / self._q))

    def _refresh_slopes(self) -> None:
        x, room, a, tau = 1.0 / self._q, self._room(), self._a, self.tau
        zero = np.zeros(a.size)
        if x == 1.0 or not self._has_shares:
            self._by_a, self._by_tau = (np.ones(a.size), zero) if x == 1.0 else (zero, zero + 1.0)
            self._aa, self._at, self._tt = zero, zero, zero
            return
        self._by_a, self._by_tau = x * room / a, (1.0 - x) * room / tau
        bend = x * (1.0 - x) * room
        self._aa, self._at, self._tt = -bend / a**2, bend / (a * tau), -bend / tau / tau

    def refresh(self, u: Array) -> None:
        """Derivatives at u and the present a and τ."""
        room = self._room()
        self.pairs.defect = self.pairs.slack - np.vstack([room - u, room + u])
        self._refresh_slopes()

    @property
    def force(self) -> Array:
        """z₊ − z₋ (k,): what the norm adds to the gradient in u."""
        return np.asarray(self.pairs.multiplier[0] - self.pairs.multiplier[1])

    def residual(self, weight: float) -> float:
        """What the conditions of τ and a lack, relative to `weight`."""
        total = self.pairs.multiplier.sum(axis=0)
        lacks = abs(weight - self._nu - float(total @ self._by_tau))
        if self._has_shares:
            lacks += float(np.abs(self._nu - total * self._by_a) @ self._a) / self.tau
        return lacks / (weight or 1.0)

    def curvature(self) -> Curvature:
        """After the pairs, a and ν are eliminated."""
        ratio, total = self.pairs.ratio, self.pairs.multiplier.sum(axis=0)
        both, skew = ratio[0] + ratio[1], ratio[1] - ratio[0]
        t = self._by_tau
        uu, ut = both, skew * t
        tt = float((both * t * t - total * self._tt).sum())
        if not self._has_shares:
            self._ut, self._uu = ut, uu
            return Curvature(uu, ut, tt, np.zeros(t.size), 0.0, 1.0)
        self._ua = skew * self._by_a
        aa = both * self._by_a**2 - total * self._aa
        self._at_all = both * self._by_a * t - total * self._at
        self._soft = 1.0 / aa
        bent = -total * self._aa
        uu = (4.0 * ratio[0] * ratio[1] * self._by_a**2 + both * bent) / aa
        ut = ut - self._ua * self._at_all * self._soft
        tt -= float(self._at_all**2 @ self._soft)
        self._row, self._row_corner = self._ua * self._soft, 1.0 + float(self._at_all @ self._soft)
        self._sum = float(self._soft.sum())
        return Curvature(uu, ut, tt, self._row, self._row_corner, self._sum)

    def right(self, mu: float, second: bool) -> tuple[Array, float]:
        """Derivatives in u (k,) and τ of what the Newton step minimises."""
        self._pull = self.pairs.pull(mu, second)
        total = self._pull[0] + self._pull[1]
        along_u = self._pull[0] - self._pull[1]
        along_tau = -float(total @ self._by_tau)
        if not self._has_shares:
            return along_u, along_tau
        self._along_a = -total * self._by_a
        eased = self._soft * self._along_a
        self._eased = float(eased.sum()) + self.tau - float(self._a.sum())
        lever = self._eased / self._sum
        along_u = along_u - self._ua * eased + self._row * lever
        along_tau += self._row_corner * lever - float(self._at_all @ eased)
        return along_u, along_tau

    def turn(self, du: Array, dtau: float) -> None:
        """The step that goes with one of u and τ."""
        self._dtau = dtau
        opening = self._by_tau * dtau
        if self._has_shares:
            moved = float(self._row @ du) + self._row_corner * dtau
            nu = -(self._eased + moved) / self._sum
            self._dnu = nu - self._nu
            self._da = -self._soft * (self._ua * du + self._at_all * dtau + self._along_a + nu)
            opening = opening + self._by_a * self._da
        self.pairs.turn(self._pull, np.vstack([opening - du, opening + du]))

    def reach(self) -> float:
        """How far a and τ may go, and the pairs."""
        far = reach(np.array([self.tau]), np.array([self._dtau]))
        if self._has_shares and self._q != 1.0:
            far = min(far, reach(self._a, self._da))
        return min(far, self.pairs.reach())

    def merit(self, u: Array, t: float, mu: float) -> float:
        """The barrier's value after a step of length t, which leads to u."""
        a = self._a + t * self._da if self._has_shares else self._a
        room = self._room_of(a, self.tau + t * self._dtau)
        slack = self.pairs.slack + t * self.pairs.d_slack
        return self.pairs.merit(t, mu, slack - np.vstack([room - u, room + u]))

    def advance(self, t: float) -> None:
        """Take the step."""
        self.tau += t * self._dtau
        if self._has_shares:
            self._a = self._a + t * self._da
            self._nu += t * self._dnu
        self.pairs.advance(t)
