"""How far attacks of finite size move the predictions of a linear predictor, row by row.

Where rows have sets or budgets of their own, row i's prediction goes from f_i − κ⁻_i to f_i + κ⁺_i,
and its worst input is at one of these ends, whichever the loss is larger at.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....threat.attack_set import AttackSet, Furthest
from ..problem import LinearProblem

Array = NDArray[Any]


def furthest(ball: AttackSet, beta: Array, rows: Array, sizes: Array) -> Furthest:
    """The attacks on u of given sizes (k,) that raise predictions most, for one gradient (m,)."""
    if not ball.varies:
        one = ball.furthest(beta[None], rows[:1], np.ones(1))
        return Furthest(one.moves * sizes[:, None], one.gains * sizes)
    return ball.furthest(np.broadcast_to(beta, rows.shape), rows, sizes)


class Ends(NamedTuple):
    """Some rows at both ends of what attacks do to them.

    Attributes
    ----------
    start, stop : int
        Which rows.
    u : array (k, m)
        The model's inputs.
    f, y : arrays (k,)
        Predictions and targets.
    up, down : Furthest
        The attacks that raise, and that lower, predictions most.
    """

    start: int
    stop: int
    u: Array
    f: Array
    y: Array
    up: Furthest
    down: Furthest

    def worse(self, problem: LinearProblem) -> Array:
        """Whether the upper end is the worse one, or as bad, booleans (k,)."""
        width = self.up.gains + self.down.gains
        with np.errstate(over="ignore", invalid="ignore"):
            return problem.model.loss.change(self.f - self.down.gains, width, self.y) >= 0.0

    def chosen(self, up: Array) -> tuple[Array, Array]:
        """The attacks on u (k, m) of the ends chosen, and the moves of f (k,)."""
        moves = np.where(up[:, None], self.up.moves, self.down.moves)
        return moves, np.where(up, self.up.gains, -self.down.gains)


def ends_of(problem: LinearProblem, theta: Array, eps: float, start: int, stop: int) -> Ends:
    """Both ends of a range of rows at θ and ε."""
    source, model, m = problem.source, problem.model, problem.model.n_features
    rows = source.inputs(start, stop).astype(np.float64, copy=False)
    u = model.basis.transform(rows)
    f = u @ theta[:m] + (theta[m] if len(theta) > m else 0.0)
    sizes = eps * problem.radius * source.budgets(start, stop)
    up = furthest(problem.ball, theta[:m], rows, sizes)
    down = furthest(problem.ball, -theta[:m], rows, sizes)
    return Ends(start, stop, u, f, source.targets(start, stop), up, down)


def worst_moves(problem: LinearProblem, theta: Array, eps: float) -> tuple[Array, Array]:
    """Predictions f (n,), and what the worst attacks move them by (n,)."""
    f, moves = np.empty(problem.n_rows), np.empty(problem.n_rows)

    def work(start: int, stop: int) -> None:
        ends = ends_of(problem, theta, eps, start, stop)
        f[start:stop] = ends.f
        moves[start:stop] = ends.chosen(ends.worse(problem))[1]

    problem.executor.map_rows(problem.source, work)
    return f, moves


def attacked_gradient(problem: LinearProblem, theta: Array, eps: float) -> Array:
    """∇_θ E max ℓ by Danskin's theorem, without the penalty (d,)."""
    m, loss, d = problem.model.n_features, problem.model.loss, len(theta)
    shares = problem.shares

    def work(start: int, stop: int) -> Array:
        ends = ends_of(problem, theta, eps, start, stop)
        moves, gains = ends.chosen(ends.worse(problem))
        slope = loss.slope(ends.f + gains, ends.y) * shares[start:stop]
        out = np.empty(d)
        out[:m] = slope @ (ends.u + moves)
        out[m:] = slope.sum()
        return out

    source = problem.source
    return problem.executor.reduce(
        source, source.chunks(), work, np.add, source.n_rows * source.n_columns
    )
