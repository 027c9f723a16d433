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


class Worst(NamedTuple):
    """Some rows at their worst ends: the model's inputs u (k, m), predictions and targets (k,), the
    attacks on u (k, m), and what these move predictions by (k,)."""

    u: Array
    f: Array
    y: Array
    moves: Array
    shift: Array


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

    def worst(self, problem: LinearProblem) -> Worst:
        """The end of each row that its loss is larger at."""
        up = self.worse(problem)
        moves = np.where(up[:, None], self.up.moves, self.down.moves)
        shift = np.where(up, self.up.gains, -self.down.gains)
        return Worst(self.u, self.f, self.y, moves, shift)


def worst_of(problem: LinearProblem, theta: Array, eps: float, start: int, stop: int) -> Worst:
    """A range of rows at their worst ends, at θ and ε."""
    source, model, m = problem.source, problem.model, problem.model.n_features
    rows = source.inputs(start, stop).astype(np.float64, copy=False)
    u = model.basis.transform(rows)
    f = u @ theta[:m] + (theta[m] if len(theta) > m else 0.0)
    y, sizes = source.targets(start, stop), eps * problem.radius * source.budgets(start, stop)
    ball, beta = problem.ball, theta[:m]
    if model.loss.is_monotone and ball.varies:  # it is known which
        side = -y
        found = ball.furthest(side[:, None] * beta, rows, sizes)
        return Worst(u, f, y, found.moves, side * found.gains)
    up, down = (furthest(ball, side * beta, rows, sizes) for side in (1.0, -1.0))
    return Ends(start, stop, u, f, y, up, down).worst(problem)


def write_worst(
    problem: LinearProblem, theta: Array, eps: float, start: int, stop: int, out: Array
) -> None:
    """Write the worst raw inputs (k, m) of a range of rows."""
    source, ball, rows = problem.source, problem.ball, problem.source.inputs(start, stop)
    if problem.model.loss.is_monotone and ball.varies:
        sizes = eps * problem.radius * source.budgets(start, stop)
        beta = theta[: problem.model.n_features]
        ball.write_attacked(beta, -source.targets(start, stop), rows, sizes, out)
        return
    out[...] = rows + ball.raw(worst_of(problem, theta, eps, start, stop).moves)


def worst_moves(problem: LinearProblem, theta: Array, eps: float) -> tuple[Array, Array]:
    """Predictions f (n,), and what the worst attacks move them by (n,)."""
    f, moves = np.empty(problem.n_rows), np.empty(problem.n_rows)

    def work(start: int, stop: int) -> None:
        at = worst_of(problem, theta, eps, start, stop)
        f[start:stop], moves[start:stop] = at.f, at.shift

    problem.executor.map_rows(problem.source, work)
    return f, moves


def attacked_gradient(problem: LinearProblem, theta: Array, eps: float) -> Array:
    """∇_θ E max ℓ by Danskin's theorem, without the penalty (d,)."""
    m, loss, d = problem.model.n_features, problem.model.loss, len(theta)
    shares = problem.shares

    def work(start: int, stop: int) -> Array:
        at = worst_of(problem, theta, eps, start, stop)
        slope = loss.slope(at.f + at.shift, at.y) * shares[start:stop]
        out = np.empty(d)
        out[:m] = slope @ (at.u + at.moves)
        out[m:] = slope.sum()
        return out

    source = problem.source
    return problem.executor.reduce(
        source, source.chunks(), work, np.add, source.n_rows * source.n_columns
    )
