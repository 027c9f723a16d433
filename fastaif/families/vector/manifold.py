"""A robust optimum of several predictions with the attacks that are as bad there: Newton's method.

With the pieces of `pieces`, of which some rows have several that stay equally bad (C their
gradients less the first's, μ their shares of the weight, δ how unequal they are), a step is

    [H C; Cᵀ 0] [ΔZ; Δμ] = −[∇R; δ].

It knows how attacks turn with the coefficients, so that few steps take a robust fit to the last
digits. Coefficients at a kink of every row's attack (p = ∞, where all classes have the same one)
are held there.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ...utils.caching import cached_property
from .attack import Search
from .pieces import Attacks, Pieces, Sums
from .problem import VectorProblem
from .robust import RobustObjective

Array = NDArray[Any]

_SAME = 1e-11  # of the largest singular value: what tells no more of the coefficients
FURTHER = 2000  # whole steps that attacks follow coefficients by


class Ties(NamedTuple):
    """Attacks of the moment, and shares of the total weight of the extra ones (k,)."""

    attacks: Attacks
    shares: Array


@dataclass(frozen=True, eq=False)
class State:
    """An optimum that is being solved.

    Attributes
    ----------
    objective : RobustObjective
    z : array (Jc,)
        Z in working coordinates.
    held : boolean array (free,)
        Features whose coefficients are held.
    ties : Ties
    """

    objective: RobustObjective
    z: Array
    held: Array
    ties: Ties

    @property
    def problem(self) -> VectorProblem:
        return self.objective.problem

    @property
    def rho(self) -> float:
        return float(self.objective.eps * self.problem.radius)

    @cached_property
    def theta(self) -> Array:
        return self.objective.theta(self.z)

    @cached_property
    def pieces(self) -> Pieces:
        matrix = self.problem.model.layout.matrix(self.theta)
        return Pieces(self.problem, matrix, self.rho, self.ties.attacks, self.held)

    @cached_property
    def sums(self) -> Sums:
        return self.pieces.sums(self.ties.shares)

    @cached_property
    def free(self) -> Array:
        """Which entries of Z are not held, booleans."""
        problem = self.problem
        cells = np.ones((problem.model.frame.shape[1], self.pieces.matrix.shape[1]), dtype=bool)
        cells[:, problem.ball.own.free[self.held]] = False
        return cells.ravel()

    @cached_property
    def penalty(self) -> Array:
        """2αP over Z."""
        size = self.z.size
        return np.asarray(self.problem.with_working_penalty(np.zeros((size, size))))

    @cached_property
    def gradient(self) -> Array:
        return self.sums.gradient + self.penalty @ self.z

    @property
    def residual(self) -> float:
        left = float(np.linalg.norm(self.gradient[self.free]))
        return left / (self.sums.yardstick or 1.0)

    def solve(self, right: Array, gaps: Array) -> tuple[Array, Array]:
        """The step of Z and of the shares, for right sides over Z and of the extra pieces."""
        from scipy.linalg.lapack import dpotrf, dpotrs

        C, H = self.sums.columns[self.free], (self.sums.hessian + self.penalty)
        H = H[np.ix_(self.free, self.free)]
        scale = 1.0 / np.sqrt(np.maximum(H.diagonal(), np.finfo(float).tiny))
        C = C * scale[:, None]
        units = 1.0 / np.maximum(np.linalg.norm(C, axis=0), np.finfo(float).tiny)
        factor, info = dpotrf(H * scale[:, None] * scale, lower=1)
        if info != 0:
            raise np.linalg.LinAlgError
        C = C * units
        solved = dpotrs(factor, np.column_stack([C, scale * right[self.free]]), lower=1)[0]
        C_solved, alone = solved[:, :-1], solved[:, -1]
        # Rows with attacks on features that the model does not tell apart say the same.
        shares = np.linalg.lstsq(C.T @ C_solved, C.T @ alone - units * gaps, rcond=_SAME)[0]
        step = np.zeros(self.z.size)
        step[self.free] = scale * (alone - C_solved @ shares)
        return step, units * shares

    def newton_step(self) -> tuple[Array, Array]:
        """Of Z and of the shares."""
        return self.solve(-self.gradient, -self.sums.gaps)

    def moved(self, step: tuple[Array, Array], part: float) -> Self:
        """After a part of a step, with attacks where they lead from here."""
        z, shares = (a + part * b for a, b in zip((self.z, self.ties.shares), step, strict=True))
        there = dataclasses.replace(self, z=z, ties=self.ties._replace(shares=shares))
        return there.followed()

    def followed(self) -> Self:
        own, old = self.problem.ball.own, self.ties.attacks
        if own.is_box or own.is_cross_polytope:
            return self
        whole = np.arange(self.problem.n_rows)
        main = self.search(whole).climb(old.main.copy(), 1.0, FURTHER)
        others = self.search(old.rows).climb(old.others.copy(), 1.0, FURTHER)
        attacks = Attacks(main, old.rows, others)
        return dataclasses.replace(self, ties=self.ties._replace(attacks=attacks))

    def search(self, rows: Array) -> Search:
        """For attacks on some rows."""
        problem, m = self.problem, self.problem.model.n_features
        matrix = problem.model.layout.matrix(self.theta)
        slopes = np.where(self.held, 0.0, problem.ball.own.slopes(matrix[:, :m]))
        z, y = problem.sweep.predictions(matrix)[rows], problem.source.targets()[rows]
        return problem.search(problem.model.loss, problem.ball.own, slopes, self.rho, z, y, 0)
