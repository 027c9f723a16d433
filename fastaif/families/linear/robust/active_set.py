"""Finish a robust fit on its kinks: Newton's method on an active set.

At a kink c_i = 0 the subdifferential of |c_i| is λ_i ∇c_i with λ_i in [−1, 1]: a sample
there is attacked at both ends, with shares (1 ± λ)/2. Kinks of the norm leave, for
p = ∞, some coefficients at zero, and, for p = 1, some |D_j β_j| tied at the maximum.
Given these sets the problem is smooth on a manifold, and Newton's method on its KKT
conditions converges quadratically in θ and λ; samples and coefficients enter the sets
when a step carries them across a kink, and leave when their multiplier is out of range.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....solvers.newton import Local
from .design import blocks
from .dual_points import DualPoint, RowMultipliers, Shares
from .norm_kinks import NormPiece, norm_piece
from .objective import Kinks, Point, RobustProblem, assemble

Array = NDArray[Any]
_ROUNDING = 1e-11  # relative size of a c̃ that counts as zero
ENOUGH = 1e-3  # of the tolerance: no step makes such a residual much smaller
_NOTHING = 1e-40  # curvature in working coordinates, where data are about 1


@dataclass
class _Samples:
    """Which end of [f − κ, f + κ] each sample is attacked at, or that it is at a kink."""

    side: Array  # (n,) ±1, int8
    kink: Array  # indices of samples at a kink
    multiplier: Array  # λ of those

    def as_array(self) -> Array:
        full = self.side.astype(float)
        full[self.kink] = np.clip(self.multiplier, -1.0, 1.0)
        return full


def polish(
    problem: RobustProblem,
    theta: Array,
    kinks: Kinks | None,
    tol: float,
    max_iter: int,
    patience: int = 8,
) -> None:
    """Active-set Newton from θ; offers the points it meets to `problem`.

    The sets start with the kinks given. It ends where `patience` steps brought nothing better.
    """
    norm = norm_piece(problem, theta, kinks)
    x = norm.snap(theta)
    if norm.value(x) == 0.0:
        return
    samples = _first_samples(problem, x, kinks)
    best: Point | None = None
    since_best = 0
    for _ in range(max_iter):
        kappa = problem.rho * norm.value(x)
        sums = problem.sums(x, kappa, multiplier=samples.as_array())
        if not (sums.is_finite and np.isfinite(kappa)):
            break
        k, bend = norm.derivatives(x)
        local = assemble(problem, x, sums, problem.rho * k, problem.rho * bend)
        local = local._replace(gradient=local.gradient + norm.push(x.size))
        weight = problem.rho * sums.gain
        if not (np.isfinite(local.value) and np.isfinite(local.hessian).all()):
            break
        remaining, inside = norm.reduce_gradient(x, local.gradient, weight)
        # Only a point whose samples are at the ends they should be at has this subgradient.
        honest = inside and _consistent(problem, x, kappa, samples)
        residual = float(np.linalg.norm(remaining)) / (local.yardstick or 1.0)
        if honest and (best is None or residual < best.residual):
            stalled = best is not None and residual > 0.5 * best.residual
            rows = _dual_point(problem, x, kappa, samples)
            best = Point(x.copy(), local, remaining, residual, sums.gain, rows)
            problem.offer(best)
            since_best = 0
            if residual <= ENOUGH * tol or (stalled and residual <= tol):
                break
        else:
            since_best += 1
            if since_best > patience or (best is not None and best.residual <= tol):
                break
        new = _step(problem, x, norm, samples, local, kappa, k, weight)
        if new is None or not np.isfinite(new).all():
            break
        x = new


def _gaps(
    problem: RobustProblem, theta: Array, kappa: float
) -> Iterator[tuple[slice, Array, Array]]:
    """c̃_i = c_i/κ and the size that it is small or large against, a block of rows at a time."""
    f, source, loss = problem.sweep.predictions(theta), problem.sweep.source, problem.sweep.loss
    for rows in blocks(f.size):
        here, y = f[rows], source.targets(rows.start, rows.stop)
        scale = loss.curvature(here, y) * (np.abs(here) + loss.target_reach(y) + kappa)
        yield rows, loss.end_gap(here, y, kappa), scale


def _crossed(
    problem: RobustProblem, theta: Array, kappa: float, samples: _Samples
) -> tuple[Array, Array]:
    """(n,) whether samples are on the wrong side of their kinks, and (k,) how far they are in
    that, relative to rounding's part; kinks are where they may be wrong either way."""
    wrong, kink = np.zeros(samples.side.size, dtype=bool), np.zeros(samples.side.size, dtype=bool)
    kink[samples.kink] = True
    far = []
    for rows, gap, scale in _gaps(problem, theta, kappa):
        off = samples.side[rows] * gap
        off = np.where(kink[rows], np.abs(gap), -off)
        wrong[rows] = off > _ROUNDING * scale
        far.append((off / np.maximum(scale, 1e-300))[wrong[rows]])
    return wrong, np.concatenate(far)


def _first_samples(problem: RobustProblem, theta: Array, kinks: Kinks | None) -> _Samples:
    kappa = problem.rho * problem.norm(theta)
    f, source = problem.sweep.predictions(theta), problem.sweep.source
    side = np.empty(f.size, dtype=np.int8)
    for rows in blocks(f.size):
        y = source.targets(rows.start, rows.stop)
        side[rows] = problem.sweep.loss.worse_end(f[rows], y, kappa)
    if not problem.has_kinks:
        return _Samples(side, np.empty(0, dtype=int), np.empty(0))
    if kinks is None:  # those that an optimum at another radius has may be this one's
        found = [
            part.start + np.flatnonzero(np.abs(gap) <= _ROUNDING * scale)
            for part, gap, scale in _gaps(problem, theta, kappa)
        ]
        met = np.concatenate(found)
        met = met if met.size <= theta.size else met[:0]
        return _Samples(side, met, np.zeros(met.size))
    return _Samples(side, kinks.rows, kinks.multipliers)


def _dual_point(problem: RobustProblem, x: Array, kappa: float, samples: _Samples) -> DualPoint:
    """The dual point of the rows of positive weight that goes with λ."""
    design = problem.design
    f, y, w = design.predict(x), design.targets, design.weights
    point = problem.dual_point(f, y, w, kappa, design.among(samples.side))
    if isinstance(point, RowMultipliers) and samples.kink.size:
        places = design.places(samples.kink)
        order = np.argsort(places)
        rows, upper = places[order], 0.5 * (1.0 + np.clip(samples.multiplier[order], -1.0, 1.0))
        counted = np.isin(samples.kink[order], design.numbers(rows))
        rows, upper = rows[counted], upper[counted]
        slope = [problem.sweep.loss.slope(f[rows] + side * kappa, y[rows]) for side in (1, -1)]
        own = Shares(rows, np.vstack([upper, 1.0 - upper]) * w[rows], np.vstack(slope))
        point = dataclasses.replace(point, own=own)
    return point.light()


def _consistent(problem: RobustProblem, theta: Array, kappa: float, samples: _Samples) -> bool:
    """Whether every sample is attacked at its worse end, kinks counting as either."""
    if not problem.has_kinks:
        return True
    wrong, _ = _crossed(problem, theta, kappa, samples)
    w = problem.sweep.source.weights()
    if w.size:
        wrong &= w > 0
    return not wrong.any() and bool(np.all(np.abs(samples.multiplier) <= 1.0 + 1e-9))


def _step(
    problem: RobustProblem, x: Array, norm: NormPiece, samples: _Samples, local: Local,
    kappa: float, k: Array, weight: float,
) -> Array | None:  # fmt: skip
    """One Newton step on the KKT conditions, and the sets that follow from it."""
    basis = norm.tangent(x)
    slopes, gaps, shares = _kink_rows(problem, x, samples, kappa, k)
    hessian = basis.T @ local.hessian @ basis
    move, change = _solve_kkt(
        hessian, (basis.T @ slopes.T) * shares, -(basis.T @ local.gradient), -gaps * shares
    )
    step = basis @ move
    new = norm.move(x, step)
    samples.multiplier = samples.multiplier + change
    # The gradient that the linear model predicts at the new point decides who is released.
    predicted = local.gradient + local.hessian @ step + slopes.T @ (shares * change)
    if norm.update(new, predicted, weight):
        new = norm.snap(new)
    if norm.value(new) == 0.0:
        return None
    if problem.has_kinks:
        _update_samples(problem, new, norm, samples)
    return new


def _kink_rows(
    problem: RobustProblem, x: Array, samples: _Samples, kappa: float, k: Array
) -> tuple[Array, Array, Array]:
    """∇c_i/κ (z, d), c̃_i (z,) and κ w̄_i (z,) of the samples at kinks."""
    source, sweep, loss = problem.sweep.source, problem.sweep, problem.sweep.loss
    if samples.kink.size == 0:
        return np.empty((0, x.size)), np.empty(0), np.empty(0)
    rows = sweep.basis.transform(np.asarray(source.x[samples.kink], dtype=np.float64))
    if sweep.fit_intercept:
        rows = np.column_stack([rows, np.ones(len(rows))])
    f, y = rows @ x, source.targets()[samples.kink]
    plus, minus = loss.slope(f + kappa, y), loss.slope(f - kappa, y)
    along_f, along_k = 0.5 * (plus - minus) / kappa, 0.5 * (plus + minus) / kappa
    slopes = along_f[:, None] * rows + np.outer(along_k, problem.rho * k)
    w = source.weights()
    share = w[samples.kink] if w.size else np.ones(len(rows))
    return slopes, loss.end_gap(f, y, kappa), kappa * share / problem.total_weight


def _solve_kkt(hessian: Array, columns: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """[[H, C], [Cᵀ, 0]] (Δ, Δλ) = (first, second), scaled to unit rows."""
    d, z = columns.shape
    # Columns of zeros leave a diagonal of nothing or of rounding, which must stay nothing.
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), _NOTHING))
    scaled_columns = columns * scale[:, None]
    lengths = np.linalg.norm(scaled_columns, axis=0)
    other = 1.0 / np.where(lengths > 0, lengths, 1.0)
    matrix = np.zeros((d + z, d + z))
    matrix[:d, :d] = hessian * scale * scale[:, None]
    matrix[:d, d:] = scaled_columns * other
    matrix[d:, :d] = matrix[:d, d:].T
    right = np.concatenate([first * scale, second * other])
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        return np.full(d, np.nan), np.full(z, np.nan)
    try:
        solution = np.linalg.solve(matrix, right)
        if not np.isfinite(solution).all() or np.abs(solution).max() > 1e12 * (
            np.abs(right).max() + 1e-300
        ):
            raise np.linalg.LinAlgError
    except np.linalg.LinAlgError:
        solution = np.linalg.lstsq(matrix, right, rcond=1e-13)[0]
    return solution[:d] * scale, solution[d:] * other


def _update_samples(problem: RobustProblem, x: Array, norm: NormPiece, samples: _Samples) -> None:
    """Drop kinks whose λ left [−1, 1]; take in samples that the step carried across."""
    wrong, far = _crossed(problem, x, problem.rho * norm.value(x), samples)
    out = np.abs(samples.multiplier) > 1.0
    dropped = samples.kink[out]
    was_kink = samples.kink
    samples.side[dropped] = np.sign(samples.multiplier[out])
    samples.kink, samples.multiplier = samples.kink[~out], samples.multiplier[~out]
    new = np.flatnonzero(wrong)
    fresh = ~np.isin(new, was_kink)  # those leave the kink that they lie on to the side of λ
    new, far = new[fresh], far[fresh]
    room = max(x.size - samples.kink.size, 0)
    if new.size > room:
        # A long step: too many to be kinks. They change ends, the nearest stay as kinks.
        order = np.argsort(far)
        samples.side[new[order[room:]]] *= -1
        new = new[order[:room]]
    samples.kink = np.concatenate([samples.kink, new])
    samples.multiplier = np.concatenate([samples.multiplier, samples.side[new].astype(float)])
