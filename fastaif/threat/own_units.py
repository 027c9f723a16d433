"""Attacks of finite size in the units in which their set is a unit ball.

t = δ/c over the attackable features alone: raw inputs move by c t, the model's by D t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute import get
from .._compute import types as c
from ..norms import conjugate, dual_direction, lp_norm
from .ascent_settings import PgdSettings

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class OwnUnits:
    """The attacks ‖t‖_p ≤ ρ.

    Attributes
    ----------
    p : float
    free : array (k,)
        The attackable features, in order.
    scale, weights : arrays (k,)
        c and D of these.
    """

    p: float
    free: Array
    scale: Array
    weights: Array

    @property
    def n_free(self) -> int:
        """The number of entries of an attack."""
        return self.free.size

    @property
    def is_cross_polytope(self) -> bool:
        """Whether ± ρ e_j are its only extreme points."""
        return self.p == 1.0 or self.n_free == 1

    @property
    def is_box(self) -> bool:
        """Whether its extreme points are the corners ± ρ of every entry."""
        return math.isinf(self.p)

    @property
    def is_sharp_at_zero(self) -> bool:
        """Whether gains have no bounded second derivative where an entry of the slopes is zero."""
        return self.p > 2.0

    # --- to and from inputs ---------------------------------------------------------------

    def move(self, X: Array, t: Array) -> None:
        """Add attacks t (n, k) to raw inputs (n, m), in place."""
        X[:, self.free] += self.scale * t

    def move_inner(self, U: Array, t: Array) -> None:
        """Add attacks t (n, k) to the model's inputs (n, m), in place."""
        U[:, self.free] += self.weights * t

    def enter(self, delta: Array) -> Array:
        """The attacks (n, k) that move the model's inputs by δ (n, m)."""
        return np.asarray(delta[:, self.free] / self.weights)

    def slopes(self, gradients: Array) -> Array:
        """∇_t (n, k) for gradients ∇_u (n, m)."""
        return np.asarray(gradients[:, self.free] * self.weights)

    def moves_in(self, units: Array) -> Array:
        """How far unit attacks move the model's inputs (m,), measured in such units: (k,)."""
        return np.asarray(self.weights / units[self.free])

    def form(self, matrix: Array) -> Array:
        """The quadratic form of a matrix (m, m) over u, over t: (k, k)."""
        part = matrix[np.ix_(self.free, self.free)]
        return np.asarray(self.weights[:, None] * part * self.weights)

    def axes(self, vectors: Array, m: int) -> Array:
        """Columns of t (k, j) as moves of the model's inputs (m, j)."""
        out = np.zeros((m, vectors.shape[1]))
        out[self.free] = self.weights[:, None] * vectors
        return out

    # --- in the set -----------------------------------------------------------------------

    def gains(self, slopes: Array) -> Array:
        """What unit attacks gain along slopes ∇_t (..., k)."""
        return lp_norm(slopes, conjugate(self.p))

    def lengths(self, t: Array) -> Array:
        """‖t‖_p of attacks (..., k)."""
        return lp_norm(t, self.p)

    def directions(self, slopes: Array) -> Array:
        """The unit attacks (..., k) that gain it."""
        return dual_direction(slopes, self.p)

    def bends(self, slopes: Array, gains: Array) -> tuple[Array, Array]:
        """How gains bend where the set is smooth: ∇²‖g‖_q = diag(squares) − bend φφᵀ.

        Parameters
        ----------
        slopes : array (n, k)
            g, or a multiple of it.
        gains : array (n,)
            ‖g‖_q.

        Returns
        -------
        arrays (n, k) and (n,)
            squares and bend, zero where nothing is gained.
        """
        q, size = conjugate(self.p), lp_norm(slopes, conjugate(self.p))[:, None]
        unit = np.abs(slopes) / np.where(size > 0.0, size, 1.0)
        with np.errstate(divide="ignore"):
            bend = np.where(gains > 0.0, (q - 1.0) / gains, 0.0)
            powers = np.where(unit > 0.0, unit ** (q - 2.0), float(q == 2.0))
        return bend[:, None] * powers, bend

    def draw(self, seed: int, draw: int, row: int, size: float, out: Array) -> None:
        """Write random attacks of a size (n, k), keyed by row from `row` on."""
        get("random_points")(seed, draw, row, size, float(self.p), out)

    def climb(
        self, t: Array, slopes: Array, lengths: Array, size: float, out: Array, leap: bool = False
    ) -> None:
        """Write the projection of t + length · unit slopes, row by row.

        `leap` goes to size · φ(slopes) in place of that.
        """
        get("ascend_rows")(t, slopes, lengths, (size, float(self.p)), leap, out)

    def steps(
        self, settings: PgdSettings, size: float, step: float, row: int, slopes: Array = c.EMPTY
    ) -> c.Steps:
        """Projected gradient ascent from row `row` on, as compiled operations take it."""
        return c.Steps(
            float(self.p), size, slopes, settings.n_steps, step, settings.n_restarts,
            settings.seed, row,
        )  # fmt: skip
