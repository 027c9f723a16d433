"""Attacks on the inputs of linear models of several outputs: max ‖r + G t‖² over ‖t‖_p ≤ ρ.

For p = 2 that is a trust-region problem, solved for all rows from one singular value decomposition
of G. Elsewhere a maximum is at ρ φ(Gᵀu) for some direction u of outputs. For p = ∞ and two outputs
φ(Gᵀu) is the same between two u that some column of G is orthogonal to, so that 2m of them are all;
with few features all corners can be gone through. Where neither can be, ascents start at the best
of some u in the planes of G's singular vectors, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import get
from ...threat.attack_set import AttackSet
from ...threat.own_units import OwnUnits
from ..vector.attack import Search
from ..vector.rows import VectorRows

Array = NDArray[Any]

_FEW_FEATURES = 8  # of which all corners are gone through
_RANK, _AXES, _EVENLY = 1e-12, 6, 16  # singular vectors that count, of most of them, and angles


@dataclass(frozen=True)
class OutputsSearch(Search):
    """The search for maxima of the squared error."""

    @staticmethod
    def is_exact(ball: AttackSet, n_outputs: int) -> bool:
        """For p = 2, p = 1, one attackable feature, and p = ∞ with few of them or two outputs."""
        own = ball.own
        few = own.is_box and OutputsSearch.is_exact_box(own, n_outputs)
        return ball.is_ellipsoid or own.is_cross_polytope or few

    def exact(self) -> Array:
        """The best vertex, or the trust-region problem's solution."""
        own = self.own
        if own.is_cross_polytope:
            return super().exact()
        points = self.extremes()
        return self._trust_region() if points is None else self._best_of(points)

    def extremes(self) -> Array | None:
        """Corners between which φ(Gᵀu) changes for two outputs, or all of a few."""
        own = self.own
        if not own.is_box or not self.is_exact_box(own, len(self.slopes)):
            return super().extremes()
        if len(self.slopes) == 2:
            return own.directions(_in_plane(self.slopes, own) @ self.slopes)
        bits = np.arange(1 << own.n_free)[:, None] >> np.arange(own.n_free)
        return np.asarray(1.0 - 2.0 * (bits & 1))

    @staticmethod
    def is_exact_box(own: OwnUnits, n_outputs: int) -> bool:
        """Whether corners of a box that may be the worst are few."""
        return n_outputs == 2 or own.n_free <= _FEW_FEATURES

    def _best_of(self, points: Array) -> Array:
        """The worst for each row of some attacks (j, free) of unit size."""
        return np.asarray(self.rho * points[self._best(self.rho * (points @ self.slopes.T))])

    def _trust_region(self) -> Array:
        """The maximum of 2(Gᵀr)ᵀt + ‖Gt‖²; the rows of G span all that matters."""
        if self.rho == 0.0:
            return np.zeros((len(self.z), self.own.n_free))
        left, values, right = np.linalg.svd(self.slopes, full_matrices=False)
        h = np.ascontiguousarray(2.0 * ((self.z - self.y) @ left) * values)
        t, gains = np.empty(h.shape), np.empty(len(h))
        get("ball_ascent")(h, np.ascontiguousarray(values**2), self.rho, t, gains)
        return np.asarray(t @ right)

    def _first(self) -> Array:
        """The sample itself, or where it is fitted exactly, and so not steep, another start."""
        t = super()._first()
        flat = ~np.any(self.loss.leads(self.z, self.y)[1] @ self.slopes, axis=1)
        if flat.any():
            t[flat] = next(self.starts())[flat]
        return t

    def starts(self) -> Iterator[Array]:
        """The best of what moves the outputs most, along directions in some planes."""
        left, values, _ = np.linalg.svd(self.slopes, full_matrices=False)
        left = left[:, values > _RANK * values[0]][:, :_AXES]
        if not left.size:  # nothing moves them
            yield super()._first()
            return
        planes = itertools.combinations(range(left.shape[1]), 2)
        found = [left.T, -left.T]
        for plane in planes:
            axes = left[:, plane]
            found.append(_in_plane(axes.T @ self.slopes, self.own) @ axes.T)
        yield self._best_of(self.own.directions(np.concatenate(found) @ self.slopes))


def _in_plane(slopes: Array, own: OwnUnits) -> Array:
    """Directions u (j, 2) in a plane of outputs, slopes (2, free), and their opposites.

    One between every two that are orthogonal to the slopes of a feature, where attacks turn in
    corners; else evenly spaced.
    """
    angles = np.linspace(0.0, np.pi, _EVENLY, endpoint=False)
    if own.is_box:
        free = slopes[:, np.any(slopes != 0.0, axis=0)]
        edges = np.unique(np.arctan2(free[0], -free[1]) % np.pi)
        if edges.size:
            angles = 0.5 * (edges + np.append(edges[1:], edges[0] + np.pi))
    u = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.concatenate([u, -u])


def certificate(problem: VectorRows, theta: Array, eps: float) -> float:
    """E Σ_k (|r_k| + εs‖D w_k‖_q)²: no attack does worse.

    Each output's error is the most that any attack could give it alone.
    """
    layout, own = problem.model.layout, problem.ball.own
    matrix = layout.matrix(theta)
    gains = eps * problem.radius * own.gains(own.slopes(matrix[:, : layout.n_features]))
    errors = np.abs(problem.sweep.predictions(matrix) - problem.source.targets()) + gains
    return problem.source.mean(np.sum(errors * errors, axis=1))
