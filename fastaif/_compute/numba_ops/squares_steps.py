"""The iterate of a search on squares, and its Newton step.

With K = S + κ, S the soft mean of λr, the augmented Lagrangian is about θ, to second order in a
step s and κ's change δ,

    g·s + ½ sᵀBs + 2Kδ + 2δ h·s + δ²,   κ + δ = ‖C(θ + s)‖_q,   h = E λz.

A smooth norm is expanded as well, and the step is Newton's. For q = 1 the minimum is sought with
the norm as it is: entries that cross zero are held there and those whose slope outweighs the
norm's are let go, all at once, until there are no such.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .blas import write
from .jit import FAST, STRICT, operation
from .pointwise import row_norm
from .solve_draws import factor_one, solve_one

_PIVOTS = 30
_OUT = 1e-9  # a slope that outweighs the norm's by so much lets an entry go
_SINGULAR = 1e-12  # a pivot

# Numbers of an iterate: q, E λr, E|r|, the soft mean, κ, J, what λ lacks, the bound and μ; how many
# near rows were looked at, and rows in products beside; of the line that is searched: what rows add
# that do not turn, to the mean and to its slope, J's slope and its bend without them, and how many
# rows turn.
(
    Q, X, SIZE, SOFT, KAPPA, VALUE, SPLIT, BOUND, MU, READ, PRODUCTS, BASE, STILL, SLOPE, BEND,
    TURNING, N_NUMBERS,
) = range(17)  # fmt: skip

# Numbers a row: weights, r, λ, what λ is shifted by, that with r/μ, a move's Zs; and of rows that
# turn along the line five of these, side by side.
R_W, R_R, R_BALANCE, R_ABOUT, R_SHIFTED, R_DR, R_TURNING = range(7)
N_ROW_NUMBERS = R_TURNING + 5

# Numbers an entry: θ, E rz + push θ, h, the form's push and C; k = Cu and u, which side of a kink a
# line leads to, a gradient, a step and what that turns the second into; room.
(
    E_THETA, E_RIGHT, E_PULL, E_PUSH, E_SCALE, E_K, E_U, E_SIDE, E_GRADIENT, E_MOVE, E_TURNED,
    E_THERE, E_BENDS, E_UNIT, E_PACKED, N_ENTRY_NUMBERS,
) = range(16)  # fmt: skip


class Search(NamedTuple):
    """Rows (n, d), twice their Gram matrix with the penalty's (d, d), numbers a row and an entry,
    room for systems, entries that are solved for, numbers of the iterate.

    Few arrays: of many the compiler would take minutes.
    """

    z: np.ndarray
    twice: np.ndarray
    rows: np.ndarray
    e: np.ndarray
    matrix: np.ndarray
    system: np.ndarray
    which: np.ndarray
    v: np.ndarray


@operation(fastmath=FAST)
def dot(a, b):
    """Σ a b."""
    total = 0.0
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@operation(fastmath=STRICT)
def clipped(a):
    """Between −1 and 1."""
    if a > 1.0:
        return 1.0
    return -1.0 if a < -1.0 else a


@operation(fastmath=STRICT)
def norm_and_gradient(s, x, side):
    """‖Cx‖_q, and into u its gradient; of entries at a kink that on the given side."""
    q, u = s.v[Q], s.e[E_U]
    for j in range(u.size):
        u[j] = s.e[E_SCALE, j] * x[j]
    size = row_norm(u, q)
    unit = size if size != 0.0 else 1.0
    for j in range(u.size):
        if q == 1.0:
            u[j] = np.sign(u[j]) if u[j] != 0.0 else np.sign(side[j])
        elif q == 2.0:
            u[j] /= unit
        else:
            u[j] = np.sign(u[j]) * abs(u[j] / unit) ** (q - 1.0)
    return size


@operation(fastmath=FAST)
def _row_numbers(s):
    """E λr, E|r|, E r² and E (λ − about)²."""
    x, size, square, off = 0.0, 0.0, 0.0, 0.0
    r, balance = s.rows[R_R], s.rows[R_BALANCE]
    for i in range(r.size):
        apart = balance[i] - s.rows[R_ABOUT, i]
        x += s.rows[R_W, i] * balance[i] * r[i]
        size += s.rows[R_W, i] * abs(r[i])
        square += s.rows[R_W, i] * r[i] * r[i]
        off += s.rows[R_W, i] * apart * apart
    return x, size, square, off


@operation(fastmath=STRICT)
def refresh(s):
    """Numbers of the iterate, from r, λ and h."""
    v, theta, scale = s.v, s.e[E_THETA], s.e[E_SCALE]
    v[X], v[SIZE], square, off = _row_numbers(s)
    v[SOFT] = v[X] - 0.5 * v[MU] * off
    v[KAPPA] = norm_and_gradient(s, theta, theta)
    v[VALUE] = square + v[KAPPA] * (2.0 * v[SIZE] + v[KAPPA])
    for j in range(theta.size):
        if s.v[Q] == 1.0 and theta[j] == 0.0 and scale[j] > 0.0:
            pulled = (s.e[E_RIGHT, j] + v[KAPPA] * s.e[E_PULL, j]) / scale[j]
            s.e[E_U, j] = clipped(-pulled / (v[X] + v[KAPPA]))
        s.e[E_K, j] = scale[j] * s.e[E_U, j]
        v[VALUE] += s.e[E_PUSH, j] * theta[j] * theta[j]
    v[SPLIT] = max(2.0 * v[KAPPA] * (v[SIZE] - v[X]), 0.0)


@operation(fastmath=FAST)
def _times_matrix(s, x, out):
    """The matrix of a lower triangle times x."""
    for i in range(x.size):
        total = 0.0
        for j in range(i + 1):
            total += s.matrix[i, j] * x[j]
        out[i] = total
        for j in range(i):
            out[j] += s.matrix[i, j] * x[i]


@operation(fastmath=STRICT)
def solve_bent(s, along, bends, count, x):
    """(B + 2 (h kᵀ + k hᵀ) + along k kᵀ + diag(bends))⁻¹ x of the `count` entries in `which`;
    False where that is singular. Without any bends there are none."""
    if count == 0:
        return True
    h, k = s.e[E_PULL], s.e[E_K]
    system = s.system[: count * count].reshape(count, count)
    for a in range(count):
        i = s.which[a]
        by_k, by_h = 2.0 * h[i] + along * k[i], 2.0 * k[i]
        for b in range(a + 1):
            j = s.which[b]
            system[a, b] = s.matrix[i, j] + (by_k * k[j] + by_h * h[j])
        if bends.size:
            system[a, a] += bends[i]
    unit = s.e[E_UNIT][:count]
    if not factor_one(system, unit) > _SINGULAR:
        return False
    solve_one(system, unit, x[:count])
    return True


@operation(fastmath=STRICT)
def choose_all(s):
    """Every entry is solved for."""
    for j in range(s.e[E_K].size):
        s.which[j] = j


@operation(fastmath=FAST)
def _add_square(row, z, i, matrix):
    for j in range(i + 1):
        matrix[i, j] += row * z[j]


@operation(fastmath=STRICT)
def curve(s):
    """Twice the Gram matrix, and the square of the rows that are near their kinks."""
    write(s.twice, s.matrix)
    for row in range(s.rows[R_W].size):
        if not abs(s.rows[R_SHIFTED, row]) < 1.0:
            continue
        s.v[READ] += 1.0
        weight, z = 2.0 * s.v[KAPPA] / s.v[MU] * s.rows[R_W, row], s.z[row]
        for i in range(z.size):
            _add_square(weight * z[i], z, i, s.matrix)


@operation(fastmath=STRICT)
def smooth_step(s):
    """Newton's step of a smooth norm: whether there is one, and by how much it should lower the
    model."""
    v, scale, h, q = s.v, s.e[E_SCALE], s.e[E_PULL], s.v[Q]
    kappa, level = v[KAPPA], v[SOFT] + v[KAPPA]
    if kappa == 0.0:
        return False, np.inf
    weight = 2.0 * max(level, 0.0) * (q - 1.0) / kappa
    for j in range(h.size):
        part = abs(scale[j] * s.e[E_THETA, j] / kappa)
        power = 1.0 if q == 2.0 else part ** (q - 2.0)
        s.e[E_BENDS, j] = weight * scale[j] * scale[j] * (power if np.isfinite(power) else 0.0)
        s.e[E_GRADIENT, j] = 2.0 * (s.e[E_RIGHT, j] + kappa * h[j] + level * s.e[E_K, j])
        s.e[E_MOVE, j] = -s.e[E_GRADIENT, j]
    choose_all(s)
    if not solve_bent(s, 2.0 - weight, s.e[E_BENDS], h.size, s.e[E_MOVE]):
        return False, np.inf
    return True, -0.5 * dot(s.e[E_GRADIENT], s.e[E_MOVE])


@operation(fastmath=STRICT)
def _step_on_face(s):
    """The minimum's step where u are the signs of entries, and those at zero stay."""
    v, theta, h, scale = s.v, s.e[E_THETA], s.e[E_PULL], s.e[E_SCALE]
    level, rise, held, count = v[SOFT] + v[KAPPA], -v[KAPPA], 0.0, 0
    for j in range(theta.size):
        s.e[E_K, j] = scale[j] * s.e[E_U, j]
        rise += s.e[E_K, j] * theta[j]
        if scale[j] > 0.0 and s.e[E_U, j] == 0.0:
            s.e[E_MOVE, j] = -theta[j]
            held += h[j] * s.e[E_MOVE, j]
        else:
            s.e[E_MOVE, j] = 0.0
            s.which[count] = j
            count += 1
    _times_matrix(s, s.e[E_MOVE], s.e[E_THERE])
    for a in range(count):
        j = s.which[a]
        slope = s.e[E_RIGHT, j] + v[KAPPA] * h[j] + (level + rise) * s.e[E_K, j] + rise * h[j]
        s.e[E_PACKED, a] = -2.0 * slope - s.e[E_THERE, j] - 2.0 * held * s.e[E_K, j]
    if not solve_bent(s, 2.0, s.e[E_BENDS][:0], count, s.e[E_PACKED]):
        return False
    for a in range(count):
        s.e[E_MOVE, s.which[a]] = s.e[E_PACKED, a]
    return True


@operation(fastmath=STRICT)
def _hold_crossed(s):
    """Entries that would cross zero are held there: whether there were such."""
    crossed = False
    for j in range(s.e[E_U].size):
        there = s.e[E_THETA, j] + s.e[E_MOVE, j]
        if s.e[E_SCALE, j] > 0.0 and s.e[E_U, j] != 0.0 and s.e[E_U, j] * there <= 0.0:
            s.e[E_U, j] = 0.0
            s.e[E_MOVE, j] = -s.e[E_THETA, j]
            crossed = True
    return crossed


@operation(fastmath=STRICT)
def _let_go(s):
    """Entries at zero whose slope outweighs the norm's are let go: whether there were such."""
    v, theta, h, scale = s.v, s.e[E_THETA], s.e[E_PULL], s.e[E_SCALE]
    after, out = -v[KAPPA], False
    for j in range(theta.size):
        after += scale[j] * s.e[E_U, j] * (theta[j] + s.e[E_MOVE, j])
    weight = 2.0 * (v[SOFT] + v[KAPPA] + after + dot(h, s.e[E_MOVE]))
    _times_matrix(s, s.e[E_MOVE], s.e[E_THERE])
    for j in range(theta.size):
        if not (scale[j] > 0.0 and s.e[E_U, j] == 0.0):
            continue
        pull = s.e[E_THERE, j] + 2.0 * (s.e[E_RIGHT, j] + (v[KAPPA] + after) * h[j])
        if abs(pull / scale[j]) > (1.0 + _OUT) * weight:
            s.e[E_U, j] = -np.sign(pull)
            out = True
    return out


@operation(fastmath=STRICT)
def split_step(s):
    """The step for q = 1, to where no entry crosses zero and none is pulled away, if few turns
    lead there: whether there is one, and by how much it should lower the model."""
    v, theta, h, scale = s.v, s.e[E_THETA], s.e[E_PULL], s.e[E_SCALE]
    for j in range(theta.size):
        s.e[E_U, j] = np.sign(theta[j]) if scale[j] > 0.0 else 0.0
    for _ in range(_PIVOTS):
        if not _step_on_face(s):
            return False, np.inf
        if not _hold_crossed(s) and not _let_go(s):
            break
    _times_matrix(s, s.e[E_MOVE], s.e[E_THERE])
    more, square = -v[KAPPA], 0.0
    for j in range(theta.size):
        more += scale[j] * abs(theta[j] + s.e[E_MOVE, j])
        square += s.e[E_MOVE, j] * (
            2.0 * (s.e[E_RIGHT, j] + v[KAPPA] * h[j]) + 0.5 * s.e[E_THERE, j]
        )
    level = v[SOFT] + v[KAPPA] + dot(h, s.e[E_MOVE])
    return True, -square - more * (2.0 * level + more)
