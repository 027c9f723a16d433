"""Robust fits with the squared error to a few digits, of rows in memory.

    J(θ) = E r² + 2κ E|r| + κ² + Σ push θ²,   κ = ‖Cθ‖_q,   r = zθ − y

E r² is known everywhere from its Hessian. E|r| = max E λr over |λ| ≤ 1: Newton's method on the
augmented Lagrangian, in which λ is a shifted r/μ, cut at ±1, goes through the few rows alone that
are not cut. Any λ, and any u with ‖u‖_p ≤ 1, prove a bound, by a solve from the iterate:

    J ≥ E r² − x² + max(x + kθ, 0)² + Σ push θ²,   x = E λr,   k = Cu.
"""

from __future__ import annotations

import numpy as np

from ..types import Q_BOUND, Q_PRODUCTS, Q_PROVEN, Q_READ, Q_RESIDUAL, Q_VALUE
from .blas import write
from .jit import FAST, STRICT, operation
from .squares_steps import (
    BASE,
    BEND,
    BOUND,
    E_BENDS,
    E_GRADIENT,
    E_K,
    E_MOVE,
    E_PULL,
    E_PUSH,
    E_RIGHT,
    E_SCALE,
    E_SIDE,
    E_THERE,
    E_THETA,
    E_TURNED,
    E_U,
    KAPPA,
    MU,
    N_ENTRY_NUMBERS,
    N_NUMBERS,
    N_ROW_NUMBERS,
    PRODUCTS,
    R_ABOUT,
    R_BALANCE,
    R_DR,
    R_R,
    R_SHIFTED,
    R_TURNING,
    R_W,
    READ,
    SIZE,
    SLOPE,
    SOFT,
    SPLIT,
    STILL,
    TURNING,
    VALUE,
    Q,
    Search,
    X,
    choose_all,
    clipped,
    curve,
    dot,
    norm_and_gradient,
    refresh,
    smooth_step,
    solve_bent,
    split_step,
)

_FIRST = 0.1  # μ over the residuals' size at first
_MEETS, _BACK = 1e-2, 10  # of the targets' size; shares of the start that are tried
_STEPS, _PATIENT = 25, 60  # at most, and of who is patient
_SOON, _CLOSE = 6, 1e-3  # steps, and a share of J: who is further off by then needs another way
_SLOW, _LATELY = 0.9, 3  # of what λ lacked so many steps ago
_SHRINKS = 0.2  # by how much μ falls
_INNER = 0.2  # of what λ lacks, that a step would bring at most: it is λ's turn
_MET, _STILL = 0.3, 0.1  # of what is asked for: what λ lacks no more, and a step brings no more
_VANISHED = 1e-3  # of κ at first is left: where the norm has a kink that it cannot be expanded at
_ROUNDING = 1e-15  # of J, that a bound may be off by
_RARE = 4  # rows, of which one is turned, until it costs less to go through all
_NEARLY, _TRIALS = 0.1, 12  # of the slope at first that may be left of it, and trials until then


@operation(fastmath=STRICT)
def _copy(values, out):
    for i in range(out.size):
        out[i] = values[i]


@operation(fastmath=FAST)
def _add_row(share, z, out):
    for j in range(z.size):
        out[j] += share * z[j]


@operation(fastmath=STRICT)
def _value_between(s, f, t):
    """J at t f, of predictions f of θ whose norm is κ."""
    total, kappa, theta = 0.0, s.v[KAPPA], s.e[E_THETA]
    for i in range(f.size):
        worst = abs(t * f[i] - s.rows[R_R, i]) + t * kappa
        total += s.rows[R_W, i] * worst * worst
    for j in range(theta.size):
        total += s.e[E_PUSH, j] * t * t * theta[j] * theta[j]
    return total


@operation(fastmath=STRICT)
def _draw_back(s, f):
    """From a start that (nearly) meets the targets to the best point between it and zero, where a
    share is kept of the predictions f.

    There all rows are near their kinks at first, so that more steps are worth it.
    """
    best, share, theta = np.inf, 1.0, s.e[E_THETA]
    for k in range(1, _BACK + 1):
        t = k / _BACK
        value = _value_between(s, f, t)
        if value < best:
            best, share = value, t
    for i in range(theta.size):
        s.e[E_RIGHT, i] -= 0.5 * (1.0 - share) * dot(s.twice[i], theta)
    for j in range(theta.size):
        theta[j] *= share
    return share


@operation(fastmath=STRICT)
def _start(s):
    """Residuals in place of the targets, and the first μ; whether the start met these."""
    f, r, w = s.rows[R_DR], s.rows[R_R], s.rows[R_W]
    square, power, share = 0.0, 0.0, 1.0
    for i in range(r.size):
        f[i] = dot(s.z[i], s.e[E_THETA])
        square += w[i] * (f[i] - r[i]) * (f[i] - r[i])
        power += w[i] * r[i] * r[i]
    s.v[PRODUCTS] += r.size
    s.v[KAPPA] = norm_and_gradient(s, s.e[E_THETA], s.e[E_THETA])
    meets = square <= _MEETS * power
    if meets:
        share = _draw_back(s, f)
        square = 0.0
    for i in range(r.size):
        r[i] = share * f[i] - r[i]
        square += w[i] * r[i] * r[i] if meets else 0.0
    s.v[MU] = _FIRST * max(np.sqrt(square), _FIRST * share * s.v[KAPPA])
    return meets


@operation(fastmath=STRICT)
def _value_at_zero(s, wary):
    """J where θ is zero (`wary` 1), or all of it but a constant (2)."""
    if wary == 0:
        return np.inf
    mean, total = 0.0, 0.0
    if wary == 2:
        mean = dot(s.rows[R_W], s.rows[R_R])
    for i in range(s.rows[R_R].size):
        off = s.rows[R_R, i] - mean
        total += s.rows[R_W, i] * off * off
    return total


@operation(fastmath=STRICT)
def _rebalance(s):
    """λ at the present residuals, and what it pulls."""
    balance, h, change, turned = s.rows[R_BALANCE], s.e[E_PULL], s.rows[R_DR], 0
    for i in range(balance.size):
        s.rows[R_SHIFTED, i] = s.rows[R_ABOUT, i] + s.rows[R_R, i] / s.v[MU]
        new = clipped(s.rows[R_SHIFTED, i])
        change[i] = new - balance[i]
        turned += change[i] != 0.0
        balance[i] = new
    rare = _RARE * turned <= balance.size
    s.v[PRODUCTS] += turned if rare else balance.size
    if not rare:
        for j in range(h.size):
            h[j] = 0.0
    for i in range(balance.size):
        pulled = s.rows[R_W, i] * (change[i] if rare else balance[i])
        if pulled != 0.0:
            _add_row(pulled, s.z[i], h)


@operation(fastmath=STRICT)
def _prove(s):
    """What the multipliers prove here; it stays where that is less."""
    v, h = s.v, s.e[E_PULL]
    for j in range(h.size):
        s.e[E_GRADIENT, j] = 2.0 * (
            s.e[E_RIGHT, j] + v[KAPPA] * h[j] + (v[X] + v[KAPPA]) * s.e[E_K, j]
        )
        s.e[E_MOVE, j] = -s.e[E_GRADIENT, j]
    choose_all(s)
    write(s.twice, s.matrix)
    if not solve_bent(s, 2.0, s.e[E_BENDS][:0], h.size, s.e[E_MOVE]):
        return
    if v[X] + v[KAPPA] + dot(h, s.e[E_MOVE]) + dot(s.e[E_K], s.e[E_MOVE]) >= 0.0:
        bound = (1.0 - _ROUNDING) * v[VALUE] - v[SPLIT]
        bound += 0.5 * dot(s.e[E_GRADIENT], s.e[E_MOVE])
        if bound > v[BOUND]:
            v[BOUND] = bound


@operation(fastmath=FAST)
def _soften(s, t):
    """What rows that turn along the line add to the soft mean at t, and to its slope."""
    total, slope, mu = 0.0, 0.0, s.v[MU]
    w, r, dr, about, start = (
        s.rows[R_TURNING],
        s.rows[R_TURNING + 1],
        s.rows[R_TURNING + 2],
        s.rows[R_TURNING + 3],
        s.rows[R_TURNING + 4],
    )
    for i in range(int(s.v[TURNING])):
        balance = min(max(start[i] + t / mu * dr[i], -1.0), 1.0)
        off = balance - about[i]
        total += w[i] * (balance * (r[i] + t * dr[i]) - 0.5 * mu * (off * off))
        slope += w[i] * balance * dr[i]
    return total, slope


@operation(fastmath=STRICT)
def _rise(s, t):
    """The augmented Lagrangian's slope at t along the move."""
    v, (mean, along) = s.v, _soften(s, t)
    mean += v[BASE] + t * v[STILL]
    along += v[STILL]
    for j in range(s.e[E_THERE].size):
        s.e[E_THERE, j] = s.e[E_THETA, j] + t * s.e[E_MOVE, j]
    kappa, leans = norm_and_gradient(s, s.e[E_THERE], s.e[E_SIDE]), 0.0
    for j in range(s.e[E_THERE].size):
        leans += s.e[E_U, j] * s.e[E_SCALE, j] * s.e[E_MOVE, j]
    return v[SLOPE] + 2.0 * (t * v[BEND] + leans * (mean + kappa) + kappa * along)


@operation(fastmath=STRICT)
def _collect_turning(s):
    """Rows that are, or come to be, not cut, and what the others add all along."""
    v, count = s.v, 0
    for i in range(s.rows[R_W].size):
        start = s.rows[R_SHIFTED, i]
        end = start + s.rows[R_DR, i] / v[MU]
        if not (min(start, end) < 1.0 and max(start, end) > -1.0):
            continue
        s.rows[R_TURNING, count] = s.rows[R_W, i]
        s.rows[R_TURNING + 1, count] = s.rows[R_R, i]
        s.rows[R_TURNING + 2, count] = s.rows[R_DR, i]
        s.rows[R_TURNING + 3, count] = s.rows[R_ABOUT, i]
        s.rows[R_TURNING + 4, count] = start
        count += 1
    v[TURNING] = count
    base, steep = _soften(s, 0.0)
    v[BASE] = v[SOFT] - base
    v[STILL] = dot(s.e[E_PULL], s.e[E_MOVE]) - steep


@operation(fastmath=STRICT)
def _length(s):
    """Where a slope that increases, and is negative at 0, has (nearly) reached zero, at most 1."""
    low, high = 0.0, 1.0
    below = _rise(s, low)
    if not below < 0.0:
        return 0.0
    above, enough = _rise(s, high), _NEARLY * abs(below)
    if above <= enough:
        return high
    t, side = high, 0
    for _ in range(_TRIALS):
        t = low - below * (high - low) / (above - below)
        slope = _rise(s, t)
        if abs(slope) <= enough:
            break
        if slope < 0.0:
            low, below = t, slope
            above *= 0.5 if side < 0 else 1.0
            side = -1
        else:
            high, above = t, slope
            below *= 0.5 if side > 0 else 1.0
            side = 1
    return t


@operation(fastmath=STRICT)
def _take(s):
    theta = s.e[E_THETA]
    for i in range(s.rows[R_W].size):
        s.rows[R_DR, i] = dot(s.z[i], s.e[E_MOVE])
    s.v[PRODUCTS] += s.rows[R_W].size
    for j in range(theta.size):
        s.e[E_TURNED, j] = 0.5 * dot(s.twice[j], s.e[E_MOVE])
        s.e[E_SIDE, j] = theta[j] if theta[j] != 0.0 else s.e[E_MOVE, j]
    s.v[SLOPE] = 2.0 * dot(s.e[E_RIGHT], s.e[E_MOVE])
    s.v[BEND] = dot(s.e[E_MOVE], s.e[E_TURNED])
    _collect_turning(s)
    t = _length(s)
    if not t > 0.0:
        return False
    for j in range(theta.size):
        theta[j] += t * s.e[E_MOVE, j]
        s.e[E_RIGHT, j] += t * s.e[E_TURNED, j]
    for i in range(s.rows[R_W].size):
        s.rows[R_R, i] += t * s.rows[R_DR, i]
    _rebalance(s)
    refresh(s)
    return True


@operation(fastmath=STRICT)
def _newton(s):
    curve(s)
    if s.v[Q] == 1.0:
        return split_step(s)
    return smooth_step(s)


@operation(fastmath=STRICT)
def _step(s, tol):
    """One Newton step; False where there is none."""
    v = s.v
    enough = tol * v[VALUE]
    if v[SPLIT] <= enough:
        _prove(s)
        if v[VALUE] - v[BOUND] <= enough:
            return True
    found, fall = _newton(s)
    met = v[SPLIT] <= _MET * enough  # then harder would only make kinks harder to find
    if fall <= (_STILL * enough if met else _INNER * v[SPLIT]):
        for i in range(s.rows[R_ABOUT].size):
            s.rows[R_ABOUT, i] = s.rows[R_BALANCE, i]
        v[MU] *= 1.0 if met else _SHRINKS
        _rebalance(s)
        refresh(s)
        found, fall = _newton(s)
    return found and _take(s)


@operation(fastmath=STRICT)
def _search(s, tol, patient):
    """Whether few steps lead to the gap that is asked for."""
    v, lacked = s.v, np.empty(_PATIENT)
    begun = v[KAPPA]
    for step in range(_PATIENT if patient else _STEPS):
        if not _step(s, tol):
            return False
        enough = tol * v[VALUE]
        if v[VALUE] - v[BOUND] <= enough:
            return True
        lacked[step] = v[SPLIT]
        if not patient and step + 1 == _SOON and v[SPLIT] > _CLOSE * v[VALUE]:
            return False
        late = not patient and step >= _SOON + _LATELY and v[SPLIT] > enough
        if late and v[SPLIT] > _SLOW * lacked[step - _LATELY]:
            return False
        if s.v[Q] > 1.0 and v[KAPPA] < _VANISHED * begun:
            return False
    return False


@operation(fastmath=STRICT)
def _residual(s):
    """A subgradient of J, relative to what it is small or large against."""
    v, slope, yardstick = s.v, s.e[E_GRADIENT], 0.0
    v[PRODUCTS] += s.rows[R_W].size
    _copy(s.e[E_PULL], slope)
    for i in range(s.rows[R_W].size):
        r, z = s.rows[R_R, i], s.z[i]
        yardstick += s.rows[R_W, i] * (abs(r) + v[KAPPA]) * np.sqrt(dot(z, z))
        pulled = s.rows[R_W, i] * (np.sign(r) - s.rows[R_BALANCE, i])
        if pulled != 0.0:
            _add_row(pulled, z, slope)
    for j in range(slope.size):
        slope[j] = s.e[E_RIGHT, j] + v[KAPPA] * slope[j] + (v[SIZE] + v[KAPPA]) * s.e[E_K, j]
    return np.sqrt(dot(slope, slope)) / (yardstick if yardstick > 0.0 else 1.0)


@operation(fastmath=STRICT)
def _made(z, w, form, point):
    """At the start."""
    n, d = z.shape
    e, v, rows = np.zeros((N_ENTRY_NUMBERS, d)), np.zeros(N_NUMBERS), np.zeros((N_ROW_NUMBERS, n))
    v[Q], v[BOUND] = form.q, -np.inf
    _copy(point.theta, e[E_THETA])
    _copy(point.right, e[E_RIGHT])
    _copy(point.pull, e[E_PULL])
    _copy(form.push, e[E_PUSH])
    _copy(form.scale, e[E_SCALE])
    _copy(w, rows[R_W])
    _copy(point.r, rows[R_R])
    _copy(point.balance, rows[R_BALANCE])
    return Search(
        z, form.twice, rows, e, np.empty((d, d)), np.empty(d * d), np.empty(d, np.int64), v
    )


@operation(fastmath=STRICT)
def squares_search(z, w, form, tol, wary, point):
    """Newton steps from a start until they prove the relative gap `tol`, or lead nowhere soon.

    Parameters
    ----------
    z : array (n, d)
        Rows, of weights w (n,) > 0 that add to 1.
    w : array (n,)
    form : Squares
    tol : float
    wary : int
        Not 0: no step is made unless J is lower than where θ is zero (1), or all of it but a
        constant (2); `proven` is then −1.
    point : SquaresPoint
        The start, replaced by where it ends.
    """
    s = _made(z, w, form, point)
    at_zero = _value_at_zero(s, wary)
    patient = _start(s)
    _rebalance(s)
    refresh(s)
    if s.v[KAPPA] > 0.0 and s.v[VALUE] < at_zero:
        point.numbers[Q_PROVEN] = _search(s, tol, patient)
    else:  # a norm of nothing is at its kink
        point.numbers[Q_PROVEN] = -1.0 if s.v[KAPPA] > 0.0 else 0.0
    point.numbers[Q_VALUE], point.numbers[Q_BOUND] = s.v[VALUE], s.v[BOUND]
    point.numbers[Q_RESIDUAL] = _residual(s)
    point.numbers[Q_READ], point.numbers[Q_PRODUCTS] = s.v[READ], s.v[PRODUCTS]
    _copy(s.e[E_THETA], point.theta)
    _copy(s.e[E_RIGHT], point.right)
    _copy(s.e[E_PULL], point.pull)
    _copy(s.rows[R_R], point.r)
    _copy(s.rows[R_BALANCE], point.balance)
