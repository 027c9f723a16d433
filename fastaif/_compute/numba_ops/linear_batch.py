"""Fits and influences of many small problems of linear predictors, one after the other.

Each problem's inputs are standardised by its own columns, z = (x − mean) / deviation (without an
intercept x over its root mean square), so that Newton's steps do not depend on units; the penalty
stays on β of raw inputs, α Σ (β_z / deviation)². Steps are halved until the value falls enough;
near the minimum, where values differ by rounding alone, the gradient decides. One more step is
taken once the gradient meets the tolerance.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import (
    EMPTY,
    FLAT,
    FOUND,
    N_SCALARS,
    N_VECTORS,
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_LOSS,
    NEED_YARDSTICK,
    NO_GRADIENT,
    NO_RADIUS,
    NOT_CONVERGED,
    NOT_FINITE,
    S_F,
    S_FF,
    S_FK,
    S_K,
    S_LOSS,
    S_WEIGHT,
    S_YARDSTICK,
    SINGULAR,
    V_F,
    V_FF,
    V_FK,
    Inner,
    NormOf,
    Predictor,
    Rows,
    Sums,
)
from .blas import write
from .jit import STRICT, operation, sealed
from .linear_sums import linear_sums
from .point_losses import of_residuals, starting_intercept, starts_wider
from .pointwise import row_direction, row_norm
from .solve_draws import factor_one, solve_one

_NEED = NEED_GRADIENT | NEED_HESSIAN | NEED_LOSS | NEED_YARDSTICK
_TOL, _EXACT = 1e-12, 1e-14  # of the gradient, relative to its yardstick
_ROUNDING = 1e-13  # of the value
_MOST_STEPS = 60
_LEAST_PIVOT = 16.0 * 2.220446049250313e-16  # times d


@operation(fastmath=STRICT)
def _mean_norm(x, w, attack):
    """E ‖x/c‖_p."""
    total, weight, row = 0.0, 0.0, np.empty(x.shape[1])
    for i in range(x.shape[0]):
        weight += w[i]
        if w[i] > 0.0:
            for j in range(row.size):
                row[j] = x[i, j] * attack.inverse[j]
            total += w[i] * row_norm(row, attack.p)
    return total / weight


@operation(fastmath=STRICT)
def _standardise(z, w, fit_intercept, means, scales):
    weight = w.sum()
    for j in range(z.shape[1]):
        first, total, square = z[0, j], 0.0, 0.0
        for i in range(z.shape[0]):
            apart = z[i, j] - first
            total += w[i] * apart
            square += w[i] * apart * apart
        total /= weight
        mean = first + total
        # Scales need not be exact: what is found does not depend on them.
        deviation = math.sqrt(max(square / weight - total * total, 0.0))
        if not fit_intercept:
            deviation, mean = math.hypot(mean, deviation), 0.0
        # Columns that are constant but for rounding are the intercept's over again.
        if not deviation > 1e-14 * abs(mean):
            deviation = 1.0
        means[j], scales[j] = mean, deviation
        inverse = 1.0 / deviation
        for i in range(z.shape[0]):
            z[i, j] = (z[i, j] - mean) * inverse


@operation(fastmath=STRICT)
def _evaluate(rows, theta, model, inner, scales, sums, gradient):
    """Value and relative residual of the gradient, which is written; penalty included."""
    m, d = rows.x.shape[1], theta.size
    sums.hessian[:], sums.vectors[:], sums.scalars[:] = 0.0, 0.0, 0.0
    predictor = Predictor(sealed(theta[:m]), theta[m] if d > m else 0.0, EMPTY, EMPTY)
    # A literal number would be a type of its own.
    linear_sums(rows, predictor, NormOf(2.0, EMPTY, EMPTY), inner, np.int64(_NEED), sums)
    weight = sums.scalars[S_WEIGHT]
    value, square = sums.scalars[S_LOSS] / weight, 0.0
    for j in range(d):
        total = sums.vectors[V_F, j] if j < m else sums.scalars[S_F]
        gradient[j] = total / weight
        if j < m and model.alpha > 0.0:
            ridge = model.alpha / (scales[j] * scales[j])
            value += ridge * theta[j] * theta[j]
            gradient[j] += 2.0 * ridge * theta[j]
        square += gradient[j] * gradient[j]
    yardstick = sums.scalars[S_YARDSTICK] / weight
    return value, math.sqrt(square) / (yardstick if yardstick > 0.0 else 1.0)


@operation(fastmath=STRICT)
def _form_hessian(model, scales, sums, natural, full):
    """E ℓ'' (z, 1)(z, 1)ᵀ without the penalty, and with it."""
    m, d = scales.size, natural.shape[0]
    weight = sums.scalars[S_WEIGHT]
    for j in range(m):
        for k in range(j + 1):
            natural[j, k] = natural[k, j] = sums.hessian[j, k] / weight
    if d > m:
        for j in range(m):
            natural[m, j] = natural[j, m] = sums.vectors[V_FF, j] / weight
        natural[m, m] = sums.scalars[S_FF] / weight
    write(natural, full)
    for j in range(m):
        full[j, j] += 2.0 * model.alpha / (scales[j] * scales[j])


@operation(fastmath=STRICT)
def _add_damping(damping, means, scales, full):
    """Add λ ‖θ‖² of raw inputs' θ = (β/scale, b − mean · β/scale)."""
    m, d = scales.size, full.shape[0]
    for j in range(m):
        full[j, j] += damping / (scales[j] * scales[j])
        if d > m:
            bent = means[j] / scales[j]
            full[m, j] -= damping * bent
            for k in range(j + 1):
                full[j, k] += damping * bent * means[k] / scales[k]
    if d > m:
        full[m, m] += damping


@operation(fastmath=STRICT)
def _newton(rows, model, inner, scales, theta, sums):
    """Minimise from θ, in place; status and number of steps. `sums` are those at the end."""
    d = theta.size
    gradient, trial, diagonal = np.empty(d), np.empty(d), np.empty(d)
    natural, full, steps = np.empty((d, d)), np.empty((d, d)), 0
    value, residual = _evaluate(rows, theta, model, inner, scales, sums, gradient)
    for _ in range(_MOST_STEPS):
        if not (math.isfinite(value) and math.isfinite(residual)):
            return NOT_FINITE, steps
        met = residual <= _TOL
        if residual <= _EXACT:
            return FOUND, steps
        _form_hessian(model, scales, sums, natural, full)
        if not factor_one(full, diagonal) > _LEAST_PIVOT * d:
            return SINGULAR, steps
        step = gradient.copy()
        solve_one(full, diagonal, step)
        reach, length = math.sqrt((step * step).sum()), math.sqrt((theta * theta).sum())
        if reach <= 1e-15 * length:  # rounding: of fits without residuals all that is left
            return FOUND, steps
        before, old, slope, size = residual, value, (gradient * step).sum(), 1.0
        rounding = _ROUNDING * abs(value)
        near, accepted = slope <= rounding, False
        for _ in range(3 if near else _MOST_STEPS):
            for j in range(d):
                trial[j] = theta[j] - size * step[j]
            value, residual = _evaluate(rows, trial, model, inner, scales, sums, gradient)
            falls = value <= old - 1e-4 * size * slope
            close = near and value <= old + rounding and residual < before
            if math.isfinite(value) and math.isfinite(residual) and (falls or close):
                accepted = True
                break
            size *= 0.5
        if not accepted:  # no smaller value can be told apart
            _evaluate(rows, theta, model, inner, scales, sums, gradient)
            return FOUND if met or reach <= 1e-9 * length else NOT_CONVERGED, steps
        theta[:] = trial
        steps += 1
        if met:
            return FOUND, steps
    return NOT_CONVERGED, steps


@operation(fastmath=STRICT)
def _fit(rows, model, scales, theta, sums):
    """θ̂ from the log of the mean count, or from the fits of ever narrower Huber losses."""
    w, y, m = rows.weight, rows.y, scales.size
    theta[:], steps = 0.0, 0
    mean = (w * y).sum() / w.sum()
    if theta.size > m:
        theta[m] = starting_intercept(model.loss, mean)
    if starts_wider(model.loss):
        delta = (w * np.abs(y - mean)).sum() / w.sum()
        while delta > 3.0 * model.delta:
            wider = Inner(model.loss, delta, 0.0, 0.0, EMPTY, 0.0)
            steps += _newton(rows, model, wider, scales, theta, sums)[1]
            delta *= 0.1
    inner = Inner(model.loss, model.delta, 0.0, 0.0, EMPTY, 0.0)
    status, more = _newton(rows, model, inner, scales, theta, sums)
    return status, steps + more


@operation(fastmath=STRICT)
def _leave(inner, means, scales, sign, out):
    """Coefficients of z, or steps in them, as those of raw inputs."""
    m, shift = scales.size, 0.0
    for j in range(m):
        out[j] = sign * inner[j] / scales[j]
        shift += means[j] * out[j]
    if out.size > m:
        out[m] = sign * inner[m] - shift


@operation(fastmath=STRICT)
def _influence(model, attack, units, theta, sums, radius, target_size, influence, numbers):
    """I = −H⁻¹Φ, Φ = s (‖Dβ‖_q E ℓ'' sgn ℓ' (z, 1) + E|ℓ'| (D φ(Dβ), 0)), and its numbers."""
    means, scales = units
    m, d = scales.size, theta.size
    beta, turn = attack.weights * theta[:m] / scales, np.empty(m)
    row_direction(beta, attack.p, turn)
    gain, weight = (beta * turn).sum(), sums.scalars[S_WEIGHT]
    slope = sums.scalars[S_K] / weight
    least = 1e-13 if of_residuals(model.loss) else 0.0
    if not radius > 0.0:
        return NO_RADIUS
    if not (gain > 0.0 and slope > least * target_size):
        return NO_GRADIENT
    step = np.empty(d)
    for j in range(d):
        mixed = sums.vectors[V_FK, j] if j < m else sums.scalars[S_FK]
        step[j] = radius * gain * mixed / weight
        if j < m:
            step[j] += radius * slope * attack.weights[j] * turn[j] / scales[j]
    natural, full, diagonal = np.empty((d, d)), np.empty((d, d)), np.empty(d)
    _form_hessian(model, scales, sums, natural, full)
    if model.damping > 0.0:
        _add_damping(model.damping, means, scales, full)
    if not factor_one(full, diagonal) > _LEAST_PIVOT * d:
        return FLAT
    solve_one(full, diagonal, step)
    curved = 0.0
    for j in range(d):
        curved += step[j] * (natural[j] * step).sum()
    _leave(step, means, scales, -1.0, influence)
    numbers[0], numbers[1], numbers[2] = 0.5 * curved, radius * gain * slope, radius
    return FOUND


@operation(fastmath=STRICT)
def linear_batch(rows, spans, model, attack, found):
    """Fit every problem, and find its influence if that is wanted.

    Parameters
    ----------
    rows : Rows
        Of all problems.
    spans : array (k, 2)
        Where each problem's rows begin and end.
    model : BatchModel
    attack : BatchAttack
    found : BatchFound
    """
    m = rows.x.shape[1]
    d = m + (1 if model.fit_intercept else 0)
    means, scales, theta = np.empty(m), np.empty(m), np.empty(d)
    sums = Sums(np.empty((m, m)), np.empty((N_VECTORS, m)), np.empty(N_SCALARS))
    for b in range(spans.shape[0]):
        start, stop = spans[b]
        found.params[b] = found.influence[b] = found.numbers[b] = np.nan
        z = rows.x[start:stop].astype(np.float64)
        y, w = rows.y[start:stop], np.ones(stop - start)
        if rows.weight.size:
            w[:] = rows.weight[start:stop]
        radius = attack.radius if attack.radius > 0.0 else _mean_norm(z, w, attack)
        _standardise(z, w, model.fit_intercept, means, scales)
        status, steps = _fit(Rows(sealed(z), y, sealed(w)), model, scales, theta, sums)
        if status == FOUND and model.wants_influence:
            status = _influence(
                model, attack, (means, scales), theta, sums, radius, np.abs(y).max(),
                found.influence[b], found.numbers[b],
            )  # fmt: skip
        if status == FOUND:
            _leave(theta, means, scales, 1.0, found.params[b])
        found.status[b, 0], found.status[b, 1] = status, steps
