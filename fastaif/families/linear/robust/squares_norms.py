"""The norm in a search on squares, and the step that goes with it.

With K = S + κ the augmented Lagrangian is about θ, to second order in a step s and κ's change δ,

    g·s + ½ sᵀBs + 2Kδ + 2δ h·s + δ²,   κ + δ = ‖C(β + s)‖_q,   C = ρD.

A smooth norm is expanded as well, and the step is Newton's. For q = 1 the minimum is sought with
the norm as it is: entries that cross zero are held there and those whose slope outweighs the
norm's are let go, all at once, until there are no such. Whether that leads down shows along the
step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ....norms import lp_norm

Array = NDArray[Any]
_PIVOTS = 30
_OUT = 1e-9  # by so much of the norm's slope another is larger before its entry is let go
_SINGULAR = 1e-6  # a pivot of a factor of unit diagonal


@dataclass(frozen=True)
class Model:
    """The expansion about θ.

    Attributes
    ----------
    theta : array (d,)
    free : array (k,)
        Places of the entries that the norm counts.
    scale : array (k,)
        C of those.
    matrix : array (d, d)
        B.
    gradient, cross : array (d,)
        g and h.
    level, kappa : float
        K and κ.
    """

    theta: Array
    free: Array
    scale: Array
    matrix: Array
    gradient: Array
    cross: Array
    level: float
    kappa: float

    def placed(self, u: Array) -> Array:
        """Cu among all entries (d,)."""
        k = np.zeros(self.theta.size)
        k[self.free] = self.scale * u
        return k


class Norm(Protocol):
    """κ = ‖v‖_q, v = Cβ of the entries that count."""

    def at(self, v: Array, side: Array) -> tuple[float, Array]:
        """κ and its gradient; of entries at a kink the one on that side."""

    def pull(self, v: Array, wanted: Array) -> Array:
        """u, ‖u‖_p ≤ 1 and u·v = κ; where it has a choice as near to what is wanted as it can."""

    def step(self, model: Model) -> tuple[Array | None, float]:
        """A step, None where there is none, and by how much it should lower the model."""


def norm_of(q: float) -> Norm:
    """That for q < ∞."""
    return SplitNorm() if q == 1.0 else SmoothNorm(q)


@dataclass(frozen=True)
class SmoothNorm:
    """1 < q < ∞."""

    q: float

    def at(self, v: Array, side: Array) -> tuple[float, Array]:
        """It and its gradient."""
        size = float(lp_norm(v, self.q))
        unit = v / (size or 1.0)
        if self.q == 2.0:
            return size, unit
        return size, np.sign(unit) * np.abs(unit) ** (self.q - 1.0)

    def pull(self, v: Array, wanted: Array) -> Array:
        """The gradient."""
        return self.at(v, v)[1]

    def step(self, model: Model) -> tuple[Array | None, float]:
        """Newton's: κ bends by (q − 1)/κ (C diag|v/κ|^(q−2) C − kkᵀ)."""
        free, v = model.free, model.scale * model.theta[model.free]
        size, u = self.at(v, v)
        if size == 0.0:
            return None, np.inf
        weight, k = 2.0 * max(model.level, 0.0) * (self.q - 1.0) / size, model.placed(u)
        H = bent(model.matrix, model.cross, k, 2.0 - weight)
        if self.q == 2.0:
            H[free, free] += weight * model.scale**2
        else:
            with np.errstate(divide="ignore"):
                power = np.abs(v / size) ** (self.q - 2.0)
            H[free, free] += weight * model.scale**2 * np.where(np.isfinite(power), power, 0.0)
        gradient = model.gradient + 2.0 * model.level * k
        move = solved(H, -gradient)
        return move, np.inf if move is None else -0.5 * float(gradient @ move)


class SplitNorm:
    """q = 1."""

    def at(self, v: Array, side: Array) -> tuple[float, Array]:
        """Its gradient is made of signs."""
        u = np.sign(v)
        return float(u @ v), np.where(u != 0.0, u, np.sign(side))

    def pull(self, v: Array, wanted: Array) -> Array:
        """Signs, and between them at zero."""
        return np.where(v != 0.0, np.sign(v), np.clip(wanted, -1.0, 1.0))

    def step(self, model: Model) -> tuple[Array | None, float]:
        """To where no entry crosses zero and none is pulled away, if few turns lead there."""
        theta, free = model.theta, model.free
        u, move = np.sign(theta[free]), np.zeros(theta.size)
        for _ in range(_PIVOTS):
            found = self._on_face(model, u)
            if found is None:
                return None, np.inf
            move, there = found, theta[free] + found[free]
            crossed = (u != 0.0) & (u * there <= 0.0)
            u[crossed] = 0.0
            move[free[crossed]] = -theta[free[crossed]]
            if crossed.any():
                continue
            pull, slope = self._pulls(model, u, move)
            out = (u == 0.0) & (np.abs(pull) > (1.0 + _OUT) * slope)
            if not out.any():
                break
            u[out] = -np.sign(pull[out])
        return move, self._fall(model, move)

    def _on_face(self, model: Model, u: Array) -> Array | None:
        """The minimum's step where these are the signs of entries, and those at zero stay."""
        theta, k = model.theta, model.placed(u)
        moves = np.ones(theta.size, dtype=bool)
        moves[model.free[u == 0.0]] = False
        H = bent(model.matrix, model.cross, k, 2.0)
        level = model.level + float(k @ theta) - model.kappa
        slope = model.gradient + 2.0 * (level * k + (level - model.level) * model.cross)
        move = np.zeros(theta.size)
        held = model.free[u == 0.0]
        move[held] = -theta[held]
        if held.size:
            slope = slope + H[:, held] @ move[held]
            found = solved(H[np.ix_(moves, moves)], -slope[moves])
        else:
            found = solved(H, -slope)
        if found is None:
            return None
        move[moves] = found
        return move

    def _pulls(self, model: Model, u: Array, move: Array) -> tuple[Array, float]:
        """The slope of all but the norm over C, and the norm's."""
        after = float(model.placed(u) @ (model.theta + move)) - model.kappa
        slope = model.gradient + model.matrix @ move + 2.0 * after * model.cross
        weight = 2.0 * (model.level + after + float(model.cross @ move))
        return slope[model.free] / model.scale, weight

    def _fall(self, model: Model, move: Array) -> float:
        there = model.theta[model.free] + move[model.free]
        more = float(model.scale @ np.abs(there)) - model.kappa
        square = float(move @ (model.gradient + 0.5 * (model.matrix @ move)))
        return -square - more * (2.0 * (model.level + float(model.cross @ move)) + more)


def bent(matrix: Array, h: Array, k: Array, along: float) -> Array:
    """A matrix plus 2 (h kᵀ + k hᵀ) + `along` k kᵀ."""
    cross = np.outer(2.0 * h + 0.5 * along * k, k)
    cross += cross.T
    cross += matrix
    return cross


def solved(matrix: Array, right: Array) -> Array | None:
    """By Cholesky's factor, of right sides (k,) or (j, k); None where the matrix is singular beyond
    rounding."""
    from scipy.linalg.lapack import dposv

    if not right.size:
        return right
    unit = 1.0 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix * unit
    scaled *= unit[:, None]
    factor, found, info = dposv(scaled.T, (unit * right).T, lower=1, overwrite_a=1)
    if info != 0 or not float(factor.diagonal().min()) > _SINGULAR:
        return None
    return np.asarray(unit * found.T)
