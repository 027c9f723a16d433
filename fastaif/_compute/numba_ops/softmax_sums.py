"""The one-pass sums of softmax models z = Θ(u, 1): H by pairs of classes, Φ, gradient, loss, s.

With π = softmax(z), a = π − e_y, S = diag π − ππᵀ, and W the first m columns of Θ,

    gradient:  E a (u, 1)ᵀ
    Φ/s:       E t (a (φ, 0)ᵀ + S W φ (u, 1)ᵀ),   φ = φ_c(Wᵀa)
    H:         E S_kl (u, 1)(u, 1)ᵀ in block (k, l).

The rows of S sum to zero, so that H is told by the blocks below its diagonal, those of the pairs
k > l: P_kl = E π_k π_l (u, 1)(u, 1)ᵀ, each the Gram matrix of one scaled copy of the block of rows.
Block (k, l) of H is −P_kl, and block (k, k) the sum of the P of its class, without cancellation.

Blocks are feature-major, (c, k) and (K, k); what is done to a class runs over rows.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import (
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_MIXED,
    NEED_NORM,
    NEED_YARDSTICK,
    S_F2,
    S_FF,
    S_K,
    S_LOSS,
    S_SLOPE,
    S_TIES,
    S_WRONG,
    S_ZERO,
    V_F,
    V_MIXED,
)
from .accumulate import add_row_scalars
from .basis_sums import load_columns, norms_of_columns
from .blas import add_gram_of_columns, add_product
from .jit import FAST, STRICT, operation
from .row_geometry import attack_directions
from .shared_budgets import share_budgets

_BLOCK_DOUBLES = 32768  # 256 KiB
_FEWEST_ROWS, _MOST_ROWS = 64, 1024


@operation(fastmath=STRICT)
def _shares_of_row(z, y, i):
    """Classes' shares of row i in place of its logits; its loss, the share of the others, and
    whether another class is as likely as its own.

    Everything is relative to the row's own class, so that what is left of a sure one keeps its
    digits.
    """
    own, most = z[y, i], -np.inf
    for k in range(z.shape[0]):
        if k != y:
            most = max(most, z[k, i] - own)
    top, others = max(most, 0.0), 0.0
    for k in range(z.shape[0]):
        z[k, i] = math.exp(z[k, i] - own - top)
        if k != y:
            others += z[k, i]
    total = others + z[y, i]
    for k in range(z.shape[0]):
        z[k, i] /= total
    loss = math.log1p(others) if top == 0.0 else top + math.log(total)
    return loss, others / total, not most < 0.0


@operation(fastmath=STRICT)
def _softmax(z, labels, w, a, slopes, scalars):
    """Logits z (K, k) become π, a is written, and w‖a‖ of each row to `slopes`.

    The loss is summed with compensation: solvers compare values that differ by little. Rows of no
    weight may have infinite losses: 0 · ∞ is no number.
    """
    total = carry = 0.0
    for i in range(w.size):
        y = int(labels[i])
        loss, others, is_wrong = _shares_of_row(z, y, i)
        square = bend = 0.0
        for k in range(z.shape[0]):
            a[k, i] = -others if k == y else z[k, i]
            square += a[k, i] * a[k, i]
            bend += z[k, i] * (others if k == y else 1.0 - z[k, i])
        if w[i] == 0.0:
            slopes[i] = 0.0
            if not square < np.inf:
                z[:, i] = 0.0
                a[:, i] = 0.0
            continue
        scalars[S_WRONG] += is_wrong
        slopes[i] = w[i] * math.sqrt(square)
        scalars[S_K] += slopes[i]
        scalars[S_F2] += w[i] * square
        scalars[S_FF] += w[i] * bend
        term = w[i] * loss - carry
        longer = total + term
        carry = (longer - total) - term
        total = longer
    scalars[S_LOSS] += total


@operation(fastmath=FAST)
def _weighted(values, rates, out):
    """out = values ∘ rates, values (K, k) and rates (k,)."""
    for k in range(values.shape[0]):
        for i in range(values.shape[1]):
            out[k, i] = values[k, i] * rates[i]


@operation(fastmath=FAST)
def _moved_shares(pi, q, rates):
    """q becomes rates ∘ S q: what π moves by where logits move by q."""
    for i in range(rates.size):
        mean = 0.0
        for k in range(q.shape[0]):
            mean += pi[k, i] * q[k, i]
        for k in range(q.shape[0]):
            q[k, i] = rates[i] * pi[k, i] * (q[k, i] - mean)


@operation(fastmath=STRICT)
def _rates(gains, ties, w, exponent, sums):
    """w t of each row, t its share of the budget; the scalar sums of gains are added."""
    rates = w.copy()
    if exponent > 0.0:
        share_budgets(w, gains, w, exponent, rates, sums)
        rates *= w
    for i in range(w.size):
        if w[i] > 0.0:
            sums.scalars[S_SLOPE] += w[i] * gains[i]
            if gains[i] == 0.0:
                sums.scalars[S_ZERO] += 1.0
            else:
                sums.scalars[S_TIES] += ties[i]
    return rates


@operation(fastmath=STRICT)
def _add_mixed(z, pi, a, coef, attack, w, exponent, sums):
    """Φ/s and the scalar sums that go with it; an exponent above 0 shares the budget."""
    (K, c), k, m = coef.shape, w.size, attack.weights.size
    W = coef[:, :m].copy()
    g, phi, out = np.empty((m, k)), np.zeros(c * k), np.empty((K, k))
    gains, ties, turned = np.empty(k), np.empty(k), phi[: m * k].reshape(m, k)
    add_product(W, True, a, False, 0.0, g)
    attack_directions(g, attack, turned, gains, ties)
    rates = _rates(gains, ties, w, exponent, sums)
    mixed = sums.vectors[V_MIXED].reshape(K, c)
    _weighted(a, rates, out)
    add_product(out, False, phi.reshape(c, k), True, 1.0, mixed)
    add_product(W, False, turned, False, 0.0, out)
    _moved_shares(pi, out, rates)
    add_product(out, False, z, True, 1.0, mixed)


@operation(fastmath=FAST)
def _scale(z, first, second, out):
    for j in range(z.shape[0]):
        for i in range(z.shape[1]):
            out[j, i] = z[j, i] * (first[i] * second[i])


@operation(fastmath=STRICT)
def _add_pairs(z, pi, w, pairs):
    """P_kl of all pairs k > l, in the order (1, 0), (2, 0), (2, 1), …; lower triangles."""
    roots, scaled, place = np.sqrt(pi), np.empty(z.shape), 0
    weighted = np.empty(pi.shape)
    _weighted(roots, np.sqrt(w), weighted)
    for k in range(1, pi.shape[0]):
        for other in range(k):
            _scale(z, weighted[k], roots[other], scaled)
            add_gram_of_columns(scaled, pairs[place])
            place += 1


@operation(fastmath=STRICT)
def softmax_sums(rows, coef, shift, inverse_scale, norm_of, attack, exponent, need, sums):
    """Add the sums over a range of rows to `sums` (see `types.Sums`).

    Parameters
    ----------
    rows : Rows
        Targets are numbers of classes, from 0 on.
    coef : array (K, c)
        Θ: a row a class; c is m, or m + 1 with the intercepts last.
    shift, inverse_scale : array (m,)
        u = (x − shift) inverse_scale; empty arrays mean u = x.
    norm_of : NormOf
        Its empty arrays stand for the scaled inputs u.
    attack : Attack
        Read for NEED_MIXED.
    exponent : float
        e of shared budgets (see `shared_budgets`), or 0.
    need : int
    sums : Sums
        Vectors are Θ's, row by row. In the Hessian's place are the pairs' matrices P_kl, one after
        the other: (K(K − 1)/2, c, c).
    """
    (n, m), (K, c) = rows.x.shape, coef.shape
    size = _BLOCK_DOUBLES // (2 * c + 3 * K + (3 * m if need & NEED_MIXED else 0))
    size = max(1, min(n, max(_FEWEST_ROWS, min(_MOST_ROWS, size))))
    ones = np.ones(size)
    for start in range(0, n, size):
        k = min(size, n - start)
        space, norms, slopes = np.ones(c * k), np.zeros(k), np.empty(k)
        z, u = space.reshape(c, k), space[: m * k].reshape(m, k)
        pi, a = np.empty((K, k)), np.empty((K, k))
        load_columns(rows.x, start, shift, inverse_scale, u)
        if need & (NEED_NORM | NEED_YARDSTICK):
            norms_of_columns(rows.x, start, u, norm_of, norms)
        add_product(coef, False, z, False, 0.0, pi)
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        _softmax(pi, rows.y[start : start + k], w, a, slopes, sums.scalars)
        add_row_scalars(w, slopes, norms, need, sums.scalars)
        if need & NEED_MIXED:
            _add_mixed(z, pi, a, coef, attack, w, exponent, sums)
        if need & NEED_HESSIAN:
            _add_pairs(z, pi, w, sums.hessian)
        if need & NEED_GRADIENT:
            _weighted(a, w, pi)
            add_product(pi, False, z, True, 1.0, sums.vectors[V_F].reshape(K, c))
