"""A smooth version of the two ends of a quadratic f over Euclidean balls, with curvature.

Behind the dual's barrier (see `_compute.smooth_trust_region`) each end is the mean of f under
a normal distribution of attacks δ = D t with E ‖t‖² ≤ ρ². f is linear in E v, so that:

- E v is the end's gradient in θ;
- E f is at most the true end: there is an attack no worse than the mean (the trust-region
  problem has no gap), and at least the true end but for ν (m + 1).

The end's curvature in θ comes with it. In the eigenvectors' coordinates, with s = μ − λ,
r_k = dh_k + 2 (dM t)_k and m_kl = (dM)_kl, it is that of

    Σ r_k² / (2 s_k) + ν Σ m_kl² / (s_k s_l) − e² / F_μμ,   e = Σ t_k r_k / s_k + ν Σ m_kk / s_k²

the last term because μ moves along. All samples share the eigenvectors: the first two are sums
of small matrices, which are brought to θ once a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...bases.builtin import Quadratic
from ...bases.expansion import Expansion
from ...threat.attack_set import AttackSet
from ...utils.caching import cached_property

Array = NDArray[Any]


class Curvature(NamedTuple):
    """Sums of curvatures in the eigenvectors' coordinates.

    Attributes
    ----------
    rows : array (mf, 1 + m, 1 + m)
        For each k a form of (dh_k, row k of dM).
    squares : array (mf, mf)
        Weights of m_kl².
    """

    rows: Array
    squares: Array


class SmoothEnd(NamedTuple):
    """One smooth end, for a block of rows.

    Attributes
    ----------
    change : array (k,)
        By how much f moves.
    mean : array (k, m)
        The attacked inputs' mean.
    t, widths : arrays (k, mf), (k, mf + 1)
        The attacks' mean in the eigenvectors' coordinates; s and, last, μ.
    """

    change: Array
    mean: Array
    t: Array
    widths: Array


@dataclass(frozen=True)
class SmoothExtremes:
    """The smooth ends of f = βᵀv + b for p = 2.

    Attributes
    ----------
    basis : Expansion
        Of a `Quadratic`.
    beta : array (d,)
    ball : AttackSet
    radius : float
        ρ = ε s.
    barrier : float
        ν, in units of f.
    unit : float
        What widths are measured in: a constant of the smooth end, small as ν.
    """

    basis: Expansion
    beta: Array
    ball: AttackSet
    radius: float
    barrier: float
    unit: float

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """λ and the axes D Q (m, mf) over the attackable features."""
        m, own = self.basis.m, self.ball.own
        A = Quadratic.matrix(self.basis.slope(self.beta), m)
        values, vectors = np.linalg.eigh(own.form(A))
        return values, own.axes(vectors, m)

    @cached_property
    def _pairs(self) -> tuple[Array, Array]:
        return np.triu_indices(self.basis.m)

    @cached_property
    def _squared_axes(self) -> Array:
        """The entries of a_k a_kᵀ at the products' places, (mf, number of products)."""
        j, k = self._pairs
        _, axes = self._spectrum
        return np.ascontiguousarray((axes[j] * axes[k]).T)

    def _scaled(self, rows: Array) -> Array:
        """Rows of basis coefficients' forms as forms of β."""
        scale = self.basis.out_scale
        return rows if scale is None else np.asarray(rows / scale)

    def end(self, U: Array, side: float) -> SmoothEnd:
        """The end towards which side · f grows, for a block of scaled inputs."""
        values, axes = self._spectrum
        h = np.ascontiguousarray(side * (self.basis.gradients_at(U, self.beta) @ axes))
        t, gains = np.empty(h.shape), np.empty((len(h), 2))
        widths = np.empty((len(h), values.size + 1))
        get("smooth_ball_ascent")(
            h, side * values, self.radius, self.barrier, self.unit, t, widths, gains
        )
        return SmoothEnd(side * gains[:, 0], U + t @ axes.T, t, widths)

    def features(self, end: SmoothEnd) -> Array:
        """E v, shape (k, d)."""
        spread = (self.barrier / end.widths[:, :-1]) @ self._squared_axes
        return self._spread_features(end.mean, spread)

    def _spread_features(self, mean: Array, spread: Array) -> Array:
        """E v for inputs of a mean (k, m) and covariances (k, number of products)."""
        V = self.basis.features_at(mean)
        V[:, self.basis.m :] += self._of_products(spread)
        return V

    def _of_products(self, rows: Array) -> Array:
        """Rows of the basis's own products as rows of v's."""
        scale = self.basis.out_scale
        return rows if scale is None else np.asarray(rows / scale[self.basis.m :])

    def _stiffness(self, end: SmoothEnd) -> Array:
        """F_μμ."""
        t, s = end.t, end.widths
        return np.asarray(
            2.0 * np.sum(t**2 / s[:, :-1], axis=1) + self.barrier * np.sum(s**-2.0, axis=1)
        )

    def shifts(self, end: SmoothEnd) -> Array:
        """e / √F_μμ, shape (k, d): the curvature's negative part is that of its square."""
        _, axes = self._spectrum
        s = end.widths[:, :-1]
        E = self.basis.moves_at(end.mean, (end.t / s) @ axes.T)
        E[:, self.basis.m :] += self._of_products((self.barrier / s**2) @ self._squared_axes)
        return np.asarray(E / np.sqrt(self._stiffness(end))[:, None])

    def features_after(self, end: SmoothEnd, U: Array, side: float, step: Array) -> Array:
        """E v for attacks that answer to a step in β, to first order; shape (k, d).

        They stay within reach on average: where the step is too long for its first order
        less of it is taken, and what is of second order is scaled away.
        """
        _, axes = self._spectrum
        t, s = end.t, end.widths[:, :-1]
        turn = side * (axes.T @ Quadratic.matrix(self.basis.slope(step), self.basis.m) @ axes)
        r = side * (self.basis.gradients_at(U, step) @ axes) + 2.0 * t @ turn
        e = np.sum(t * r / s, axis=1) + self.barrier * np.sum(np.diagonal(turn) / s**2, axis=1)
        rise = e / self._stiffness(end)  # of μ
        size = (np.linalg.norm(turn) + np.abs(rise)) / s.min(axis=1)
        part = 0.5 / np.maximum(size, 0.5)
        t = t + part[:, None] * (0.5 * r - t * rise[:, None]) / s
        widths = axes / s[:, None, :]
        spread = part[:, None, None] * ((widths @ turn) @ widths.transpose(0, 2, 1))
        j, k = self._pairs
        spread = spread[:, j, k]
        own = 1.0 / s - (part * rise)[:, None] / s**2
        spread = self.barrier * (spread + own @ self._squared_axes)
        length = np.sum(t**2, axis=1) + self.barrier * (
            own.sum(axis=1) + part * np.sum(np.diagonal(turn) / s**2, axis=1)
        )
        shrink = np.minimum(1.0, self.radius**2 / length)[:, None]
        return self._spread_features(U + (np.sqrt(shrink) * t) @ axes.T, shrink * spread)

    def empty_curvature(self) -> Curvature:
        """A sum of no curvatures."""
        m, free = self._spectrum[1].shape
        return Curvature(np.zeros((free, 1 + m, 1 + m)), np.zeros((free, free)))

    def add_curvature(self, end: SmoothEnd, weights: Array, total: Curvature) -> None:
        """Add the positive parts of the ends' curvatures, times their weights."""
        inverse = 1.0 / end.widths[:, :-1]
        shares = weights[:, None] * inverse
        total.squares[...] += self.barrier * (shares.T @ inverse)
        point = np.hstack([np.ones((len(weights), 1)), 2.0 * end.mean])
        for k, share in enumerate(shares.T):
            total.rows[k] += 0.5 * (share[:, None] * point).T @ point

    def curvature(self, total: Curvature) -> Array:
        """A sum of curvatures as a matrix (d, d) over β."""
        m, (_, axes) = self.basis.m, self._spectrum
        j, k = self._pairs
        place, d = np.arange(j.size), self.beta.size
        out = np.zeros((d, d))
        for row, axis in enumerate(axes.T):
            form = np.zeros((1 + m, d))  # of dh and of dA a
            form[0, :m] = axis
            form[1 + j, m + place] += 0.5 * axis[k]
            form[1 + k, m + place] += 0.5 * axis[j]
            form = self._scaled(form)
            out += form.T @ total.rows[row] @ form
            entries = np.zeros((axes.shape[1], d))  # of the row of dM
            entries[:, m:] = 0.5 * (axis[j] * axes[k].T + axis[k] * axes[j].T)
            entries = self._scaled(entries)
            out += entries.T @ (total.squares[row][:, None] * entries)
        return out
