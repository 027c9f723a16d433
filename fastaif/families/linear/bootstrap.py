"""The Bayesian bootstrap of linear predictors: all draws together.

A chunk of draws is one task. It goes through Newton's method from θ̂ in working coordinates,
one pass over the rows for the steps of all its draws, then takes I from the sums of the
last pass. A draw that these steps do not bring home is fitted by the safeguarded method of
an ordinary fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._compute import backend_of, get
from ..._compute import types as c
from ...data import parallel
from ...data.blas import single_threaded_blas
from ...solvers.cholesky import factorize
from ...utils.arrays import read_only
from ...utils.caching import cached_property
from ..damping import failed_draw
from ..finite_sum.coordinates import Coordinates, measure
from ..problem import Replicates
from .problem import LinearProblem

Array = NDArray[Any]

_MAX_STEPS = 15
# Relative gradients: at which the sums of a pass will do, though θ takes one more step from there;
# at which that step is lost in rounding; and which to take where no step helps.
_MET, _EXACT, _GOOD = 1e-12, 1e-15, 1e-10
_DOUBTFUL = 1e-10  # pivots of a Hessian that asks for a closer look
_KEPT = 1 << 22  # weights of a chunk that are kept from pass to pass
_FEWEST, _MOST, _ENTRIES = 32, 256, 1 << 22  # draws in a chunk; entries of its Hessians


def draw_weights(seed: int, draw: int, n: int) -> Array:
    """Standard exponential weights (n,) of one draw."""
    out = np.empty(n)
    get("bootstrap_weights")(seed, draw, 0, out)
    return out


def chunks_of_draws(n_draws: int, d: int, n_threads: int) -> list[Array]:
    """Numbers of the draws that are computed together: the more, the fewer passes over the rows.

    In C a draw's numbers are the same bits in whatever company. Those of BLAS may not be; for
    the same bits on any number of threads the chunks then depend on the shape alone.
    """
    tasks = max(4, 2 * n_threads) if backend_of("bootstrap_sums") == "native" else 8
    size = min(_MOST, max(_FEWEST, -(-n_draws // tasks)), max(2, _ENTRIES // d**2))
    return [np.arange(k, min(k + size, n_draws)) for k in range(0, n_draws, size)]


def linear_replicates(
    problem: LinearProblem, n_draws: int, seed: int, advance: Callable[[int], Any]
) -> Replicates:
    """θ̂, I and S/ε² of every draw; `advance` is told of draws that are done.

    Raises
    ------
    numpy.linalg.LinAlgError
        The Hessian of some draw is singular, or its fit has no finite optimum.
    """
    bootstrap = LinearBootstrap(problem, seed)
    entries = problem.source.n_rows * problem.source.n_columns * n_draws
    threads = problem.executor.threads_for(problem.source, entries)
    chunks = chunks_of_draws(n_draws, len(problem.params), threads)
    found: list[Any] = [None] * len(chunks)

    def work(task: int) -> None:
        found[task] = bootstrap.replicates(chunks[task])
        advance(chunks[task].size)

    with single_threaded_blas():
        bootstrap.prepare()
        parallel.for_each(len(chunks), work, threads)
    theta, moved, coefficient = (np.concatenate(parts) for parts in zip(*found, strict=True))
    leave = bootstrap.coordinates.leave
    return Replicates(leave(theta.T).T, leave(moved.T).T, coefficient)


@dataclass(frozen=True)
class LinearBootstrap:
    """The draws of one problem and one seed."""

    problem: LinearProblem
    seed: int

    def prepare(self) -> None:
        """Compute what the tasks share."""
        _ = self.coordinates, self.predictor, self.norms, self.penalty

    @cached_property
    def coordinates(self) -> Coordinates:
        """u = (v − means) / units: no draw's Hessian loses digits to an offset."""
        problem, model = self.problem, self.problem.model
        return measure(problem.source, model.basis, model.fit_intercept, problem.executor)

    @cached_property
    def predictor(self) -> c.Predictor:
        """From rows to u."""
        basis = self.coordinates.basis(self.problem.model.basis)
        shift, scale = basis.arrays(self.problem.source.n_columns)
        return c.Predictor(c.EMPTY, 0.0, read_only(shift), read_only(1.0 / scale))

    @cached_property
    def norms(self) -> Array:
        """‖x/c‖_p of every row where s is their mean; else zeros."""
        source, ball = self.problem.source, self.problem.ball
        out = np.zeros(source.n_rows)
        if ball.radius is not None:
            return read_only(out)

        def work(start: int, stop: int) -> None:
            out[start:stop] = ball.norms(source.inputs(start, stop).astype(np.float64, copy=False))

        self.problem.executor.map_rows(source, work)
        return read_only(out)

    @cached_property
    def penalty(self) -> Array:
        """2αP in working coordinates, a diagonal (d,)."""
        problem = self.problem
        return 2.0 * problem.alpha * self.coordinates.penalized(problem.penalized)

    # --- a chunk of draws -----------------------------------------------------------------

    def replicates(self, numbers: Array) -> tuple[Array, Array, Array]:
        """θ̂ and I of these draws in working coordinates, and S/ε²."""
        theta, sums = self._fits(numbers)
        H = sums.hessian / sums.scalars[:, c.D_WEIGHT, None, None]
        moved = self._influence(numbers, theta, sums, H)
        full = np.tril(H) + np.swapaxes(np.tril(H, -1), 1, 2)
        coefficient = 0.5 * np.einsum("bi,bij,bj->b", moved, full, moved)
        return theta, moved, coefficient

    def _influence(self, numbers: Array, theta: Array, sums: c.DrawSums, H: Array) -> Array:
        """I = −H⁻¹Φ of every draw, in working coordinates (Theorem 4.1)."""
        problem, work = self.problem, self.coordinates
        m, ball = work.m, problem.ball
        beta = theta[:, :m] / work.units
        scalars = sums.scalars / sums.scalars[:, c.D_WEIGHT, None]
        phi = sums.mixed / sums.scalars[:, c.D_WEIGHT, None]
        phi *= ball.gains(beta)[:, None]
        directions = ball.gain_gradient(beta) / work.units
        phi[:, :m] += scalars[:, c.D_SLOPE, None] * directions
        radius = scalars[:, c.D_NORM] if ball.radius is None else np.full(len(numbers), ball.radius)
        H = H + np.diag(self.penalty)
        if problem.added_damping > 0.0:
            H += problem.added_damping * work.damping(H.shape[1])
        moved, pivots = self._solve(H, -radius[:, None] * phi)
        for place in np.flatnonzero(pivots < _DOUBTFUL):
            if factorize(_symmetric(H[place])) is None:
                least = float(np.linalg.eigvalsh(H[place])[0])
                raise failed_draw(int(numbers[place]), least)
        return moved

    def _fits(self, numbers: Array) -> tuple[Array, c.DrawSums]:
        """θ of every draw in working coordinates, and the sums there.

        The first pass is at one θ, which is cheap; it has no mixed sums, and ends no draw.
        """
        theta = np.tile(self.coordinates.enter(self.problem.params), (len(numbers), 1))
        totals = self._empty(theta.shape, c.NEED_HESSIAN)
        n = self.problem.source.n_rows
        whole = -(-len(numbers) // 8) * 8
        kept = np.empty((whole, n) if whole * n <= _KEPT else (0, 0))
        best = np.full(len(numbers), np.inf)
        active = np.arange(len(numbers))
        # The squared error's Hessian is the same everywhere.
        constant = self.problem.model.loss.is_quadratic
        for step in range(_MAX_STEPS + 1):
            need = 0 if constant and step else c.NEED_HESSIAN
            at = theta[active] if step else theta[0]
            sums = self._pass(numbers, active, kept, at, need)
            _store(sums, active, totals)
            weight = totals.scalars[active, c.D_WEIGHT]
            gradient, residual = self._gradients(sums, weight, theta[active])
            stalled = (residual <= _GOOD) & (residual >= 0.5 * best[active])
            best[active] = residual
            going = ~((residual <= _MET) | stalled) | (step == 0)
            moving = going | ((residual > _EXACT) & ~stalled)
            if not moving.any() or step == _MAX_STEPS:
                break
            places = active[moving]
            H = totals.hessian[places] / weight[moving, None, None] + np.diag(self.penalty)
            moves, pivots = self._solve(H, gradient[moving])
            sound = (pivots > 0.0) & np.isfinite(moves).all(axis=1)
            best[places[~sound & going[moving]]] = np.nan
            theta[places[sound]] -= moves[sound]
            active = places[sound & going[moving]]
            if not active.size:
                break
        late = np.flatnonzero(~(best <= _GOOD))
        if late.size:
            theta[late] = [self._fit_alone(int(draw)) for draw in numbers[late]]
            sums = self._pass(numbers, late, kept, theta[late], c.NEED_HESSIAN)
            _store(sums, late, totals)
        return theta, totals

    def _gradients(self, sums: c.DrawSums, weight: Array, theta: Array) -> tuple[Array, Array]:
        """Penalised gradients (k, d), and their norms relative to E |ℓ'| ‖(u, 1)‖."""
        gradient = sums.gradient / weight[:, None] + self.penalty * theta
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            size = np.linalg.norm(gradient, axis=1)
            return gradient, size * weight / sums.scalars[:, c.D_YARDSTICK]

    def _fit_alone(self, draw: int) -> Array:
        """θ of one draw by the safeguarded method."""
        found = self.problem.fit_result(draw_weights(self.seed, draw, self.problem.source.n_rows))
        if not found.converged:
            least = float(np.linalg.eigvalsh(found.local.hessian)[0])
            raise failed_draw(draw, least)
        return self.coordinates.enter(found.x)

    def _pass(
        self, numbers: Array, places: Array, kept: Array, theta: Array, need: int
    ) -> c.DrawSums:
        """The sums of the draws at `places` over all rows, at θ (k, d), or (d,) for all.

        Mixed sums have to wait for a θ of their own.
        """
        source, inner = self.problem.source, self.problem.model.loss.inner()
        sums = self._empty((len(places), theta.shape[-1]), need)
        for start, stop in source.chunks():
            parallel.stop_if_asked()
            rows, norms = source.rows(start, stop), self.norms[start:stop]
            draws = c.Draws(self.seed, numbers[places], start, places, kept)
            if theta.ndim == 1:
                get("bootstrap_start")(rows, norms, self.predictor, inner, draws, theta, sums)
            else:
                get("bootstrap_sums")(
                    rows, norms, self.predictor, inner, draws, theta, need, sums
                )
        return sums

    @staticmethod
    def _empty(shape: tuple[int, ...], need: int) -> c.DrawSums:
        k, d = shape
        hessian = np.zeros((k if need else 0, d, d))
        scalars = np.zeros((k, c.N_DRAW_SCALARS))
        return c.DrawSums(hessian, np.zeros(shape), np.zeros(shape), scalars)

    @staticmethod
    def _solve(H: Array, b: Array) -> tuple[Array, Array]:
        """H⁻¹ b of every draw, and the least pivots."""
        solution, pivots = np.array(b), np.empty(len(b))
        get("solve_draws")(np.array(H), solution, pivots)
        return solution, pivots


def _store(sums: c.DrawSums, places: Array, totals: c.DrawSums) -> None:
    """Keep the sums of a pass over some of the draws."""
    for part, total in zip(sums, totals, strict=True):
        if len(part):
            total[places] = part


def _symmetric(lower: Array) -> Array:
    return np.tril(lower) + np.tril(lower, -1).T
