"""H⁻¹ of models with fewer rows than parameters, by a matrix of the rows.

In working coordinates H = WᵀW + R: a row of W is √(w̄ℓ'') (u, 1), R the penalty's diagonal. With
damping λ, which is λ‖θ‖² in the model's own coordinates, R gains λ/ς² and W the row √λ (−μ/ς, 1).
The intercept, which nothing holds, is lent t and H⁻¹ corrected by a term of rank one:

    (H₁ − t eeᵀ)⁻¹ = H₁⁻¹ + t H₁⁻¹e (H₁⁻¹e)ᵀ / (1 − t eᵀH₁⁻¹e).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...solvers.cholesky import Factor, factorize
from ...utils.caching import cached_property
from .coordinates import Coordinates
from .row_space import Array

_EPS = float(np.finfo(float).eps)
_REFINED = 2


@dataclass(frozen=True, eq=False)
class RowFactor:
    """Solves with H, in place of the Cholesky factor of a matrix of the columns.

    Attributes
    ----------
    rows : array (n, d)
        W.
    ridge : array (d,)
        R, 0 for what nothing holds.
    lent : array (d,)
        What is added to R there, and taken back.
    inner : Factor
        Of 1 + W (R + lent)⁻¹ Wᵀ.
    """

    rows: Array
    ridge: Array
    lent: Array
    inner: Factor

    def solve(self, b: Array) -> Array:
        """H⁻¹ b for b (d,) or (d, k), refined."""
        right = b.reshape(len(b), -1)
        x = self._once(right)
        for _ in range(_REFINED):
            left = right - self.rows.T @ (self.rows @ x) - self.ridge[:, None] * x
            x += self._once(left)
        return np.asarray(x.reshape(b.shape))

    def inverse_diagonal(self) -> Array:
        """diag(H⁻¹), shape (d,); no less than 1/H_jj, which rounding may hide."""
        held = self.ridge + self.lent
        own = held + np.einsum("ij,ij->j", self.rows, self.rows)
        seen = np.einsum("ij,ij->j", self.rows, self.inner.solve(self.rows))
        found = (1.0 - seen / held) / held
        for e, size in zip(*self._border, strict=True):
            found += size * e**2
        return np.asarray(np.maximum(found, 1.0 / own))

    @property
    def rcond(self) -> float:
        """The reciprocal condition number, in units in which R is one."""
        return 1.0 / (self.inner.norm * float(self.inner.scale.max()) ** 2)

    def _held(self, b: Array) -> Array:
        """(WᵀW + R + lent)⁻¹ b."""
        first = b / (self.ridge + self.lent)[:, None]
        back = self.rows.T @ self.inner.solve(self.rows @ first)
        return np.asarray(first - back / (self.ridge + self.lent)[:, None])

    @cached_property
    def _border(self) -> tuple[list[Array], list[float]]:
        """H₁⁻¹e and t / (1 − t eᵀH₁⁻¹e), of the one column that may be lent something."""
        columns: list[Array] = []
        sizes: list[float] = []
        for place in np.flatnonzero(self.lent):
            unit = np.zeros((self.lent.size, 1))
            unit[place] = 1.0
            columns.append(self._held(unit)[:, 0])
            t = float(self.lent[place])
            sizes.append(t / (1.0 - t * float(columns[-1][place])))
        return columns, sizes

    def _once(self, b: Array) -> Array:
        x = self._held(b)
        for e, size in zip(*self._border, strict=True):
            x += np.multiply.outer(e, size * (e @ b))
        return x


def row_factor(W: Array, ridge: Array, damping: float, work: Coordinates) -> RowFactor | None:
    """The factor of WᵀW + R + damping; None where that is singular to working precision.

    Parameters
    ----------
    W : array (n, d)
    ridge : array (d,)
        2αP in working coordinates; on all coefficients or on none.
    damping : float
        Of the identity on θ.
    """
    m = work.m
    if damping > 0.0:
        ridge = ridge.copy()
        ridge[:m] += damping / work.units**2
        last = np.zeros(W.shape[1])
        last[:m], last[m:] = -work.means / work.units, 1.0
        W = np.vstack([W, np.sqrt(damping) * last]) if W.shape[1] > m else W
    if not np.all(ridge[:m] > 0.0):
        return None
    bend = float(np.vdot(W[:, m:], W[:, m:]))
    lent = np.where(ridge > 0.0, 0.0, bend)
    if not np.all(ridge + lent > 0.0):
        return None
    gram = (W / (ridge + lent)) @ W.T
    gram[np.diag_indices_from(gram)] += 1.0
    inner = factorize(gram)
    if inner is None:
        return None
    found = RowFactor(W, ridge, lent, inner)
    return found if found.rcond >= 8.0 * W.shape[1] * _EPS else None
