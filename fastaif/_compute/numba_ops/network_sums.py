"""The one-pass sums of one-layer networks f = w2ᵀ σ(W1ᵀ u + b1) + b2: H, Φ, gradient, loss, s.

∇_θ f = (v, 1) with v = (u ⊗ w2σ', w2σ', σ): with these v, which depend on θ, gradient, Φ and
the Gauss-Newton matrix are the sums of a basis model, in the same places. The rest is

    Φ:  E |ℓ'| ∇_θ⟨∇_u f, φ⟩ = E |ℓ'| (u ⊗ w2σ''c + φ ⊗ w2σ', w2σ''c, σ'c, 0),   c = W1ᵀφ
    H:  E ℓ' ∇²f, whose entries are E ℓ' w2σ'' (u, 1)(u, 1)ᵀ within each unit, and E ℓ' σ' (u, 1)
        between a unit's own w1, b1 and its w2.

Products with a block of rows are BLAS's; v is formed for the Gauss-Newton matrix alone.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import (
    NEED_GAUSS_NEWTON,
    NEED_GRADIENT,
    NEED_HESSIAN,
    NEED_MIXED,
    NEED_NORM,
    NEED_YARDSTICK,
    V_F,
    V_FF,
    V_MIXED,
    Directions,
)
from .accumulate import add_row_scalars
from .basis_sums import add_gains, load_columns, norms_of_columns
from .blas import add_gram_of_columns, add_product, write
from .jit import FAST, STRICT, operation
from .losses import slopes
from .network_units import activate, add_row_totals, output, preactivate, weigh
from .row_geometry import attack_directions
from .shared_budgets import share_budgets

_BLOCK_DOUBLES = 49152  # 384 KiB
_FEWEST_ROWS, _MOST_ROWS = 64, 1024


@operation(fastmath=STRICT)
def _backpropagate(u, units, w2, shares, t, out):
    """out += Σ_r shares_r v_r; `units` are σ and σ', `t` (h, k) is scratch."""
    m, h = u.shape[0], t.shape[0]
    weigh(w2, units[1], shares, t)
    add_product(u, False, t, True, 1.0, out[: m * h].reshape(m, h))
    add_row_totals(t, np.ones(shares.size), out[m * h : m * h + h])
    add_row_totals(units[0], shares, out[m * h + h :])


@operation(fastmath=STRICT)
def _add_turns(u, p, network, units, magnitudes, t, out):
    """out += Σ_r |ℓ'_r| ∇_θ⟨∇_u f_r, p_r⟩."""
    m, h = network.w1.shape
    weights = out[: m * h].reshape(m, h)
    weigh(network.w2, units[1], magnitudes, t)
    add_product(p, False, t, True, 1.0, weights)
    add_product(network.w1, True, p, False, 0.0, t)
    c = t * units[1]
    add_row_totals(c, magnitudes, out[m * h + h :])
    write(t * units[2], c)
    weigh(network.w2, c, magnitudes, t)
    add_product(u, False, t, True, 1.0, weights)
    add_row_totals(t, np.ones(magnitudes.size), out[m * h : m * h + h])


@operation(fastmath=FAST)
def _form_scaled_gradients(u, units, w2, curvature, t, v):
    """v ∘ √(w ℓ''), feature-major."""
    m, h, k = u.shape[0], t.shape[0], u.shape[1]
    roots = np.sqrt(curvature)
    for i in range(h):
        for r in range(k):
            t[i, r] = w2[i] * units[1][i, r] * roots[r]
            v[m * h + i, r] = t[i, r]
            v[m * h + h + i, r] = units[0][i, r] * roots[r]
    for j in range(m):
        for i in range(h):
            for r in range(k):
                v[j * h + i, r] = u[j, r] * t[i, r]


@operation(fastmath=STRICT)
def _add_curvature(u, units, w2, d1, t, hess):
    """Add Σ_r w ℓ' ∇²f to the lower triangle of `hess`."""
    m, h = u.shape[0], t.shape[0]
    q, scaled, found = np.empty(t.shape), np.empty(t.shape), np.empty((m, h))
    totals, cross, ones = np.zeros(h), np.zeros(h), np.ones(d1.size)
    weigh(w2, units[2], d1, q)
    add_row_totals(q, ones, totals)
    for j in range(m + 1):
        if j < m:
            weigh(np.ones(h), q, u[j], scaled)
        add_product(u, False, scaled if j < m else q, True, 0.0, found)
        for other in range(min(j + 1, m)):
            for i in range(h):
                hess[j * h + i, other * h + i] += found[other, i]
    weigh(np.ones(h), units[1], d1, t)
    add_row_totals(t, ones, cross)
    add_product(u, False, t, True, 0.0, found)
    own = m * h + h
    for i in range(h):
        hess[m * h + i, m * h + i] += totals[i]
        hess[own + i, m * h + i] += cross[i]
        for j in range(m):
            hess[own + i, j * h + i] += found[j, i]


@operation(fastmath=FAST)
def _lengths_of_gradients(u, units, w2, lengths):
    """‖v‖₂ of each row."""
    for r in range(lengths.size):
        square, first, value = 1.0, 0.0, 0.0
        for j in range(u.shape[0]):
            square += u[j, r] * u[j, r]
        for i in range(w2.size):
            slope = w2[i] * units[1][i, r]
            first += slope * slope
            value += units[0][i, r] * units[0][i, r]
        lengths[r] = math.sqrt(square * first + value)


@operation(fastmath=STRICT)
def _add_mixed(u, network, units, attack, w, derivatives, exponent, sums):
    """Φ/s and the scalar sums that go with it; an exponent above 0 shares the budget."""
    m, k = u.shape
    g, p, t = np.empty((m, k)), np.empty((m, k)), np.empty(units[0].shape)
    gains, ties, gained = np.empty(k), np.empty(k), np.empty(k)
    weigh(network.w2, units[1], np.ones(k), t)
    add_product(network.w1, False, t, False, 0.0, g)
    attack_directions(g, attack, p, gains, ties)
    shares, magnitudes = np.empty(k if exponent > 0.0 else 0), np.abs(derivatives[0])
    if shares.size:
        share_budgets(derivatives[0], gains, w, exponent, shares, sums)
        magnitudes *= shares
    add_gains(Directions(gains, ties), w, derivatives, shares, gained, sums.scalars)
    _backpropagate(u, units, network.w2, gained, t, sums.vectors[V_MIXED])
    _add_turns(u, p, network, units, magnitudes, t, sums.vectors[V_MIXED])


@operation(fastmath=STRICT)
def _add_block(u, network, units, derivatives, need, sums):
    """Gradient and Hessian over one block, after its loss stage."""
    d1, d2 = derivatives[0], derivatives[2]
    t = np.empty(units[0].shape)
    if need & (NEED_GRADIENT | NEED_HESSIAN):
        _backpropagate(u, units, network.w2, d1, t, sums.vectors[V_F])
    if need & NEED_HESSIAN:
        _backpropagate(u, units, network.w2, d2, t, sums.vectors[V_FF])
        v = np.empty((sums.hessian.shape[0], u.shape[1]))
        _form_scaled_gradients(u, units, network.w2, d2, t, v)
        add_gram_of_columns(v, sums.hessian)
        if not need & NEED_GAUSS_NEWTON:
            _add_curvature(u, units, network.w2, d1, t, sums.hessian)


@operation(fastmath=STRICT)
def rows_in_block(n, columns):
    """How many rows of so many numbers each make a block."""
    return max(1, min(n, max(_FEWEST_ROWS, min(_MOST_ROWS, _BLOCK_DOUBLES // columns))))


@operation(fastmath=STRICT)
def network_sums(rows, network, norm_of, attack, inner, need, sums):
    """Add the sums over a range of rows to `sums` (see `types.Sums`).

    Parameters
    ----------
    rows : Rows
    network : Network
    norm_of : NormOf
        Its empty arrays stand for the scaled inputs u.
    attack : Attack
        Read for NEED_MIXED.
    inner : Inner
        With κ = 0.
    need : int
    sums : Sums
        The Hessian's and the vectors' d is that of v: the last entry of θ, b2, is the
        intercept.
    """
    n, m = rows.x.shape
    h = network.b1.size
    size = rows_in_block(n, m * h + 2 * h if need & NEED_HESSIAN else 3 * m + 4 * h)
    ones = np.ones(size)
    for start in range(0, n, size):
        k = min(size, n - start)
        u, f, norms = np.empty((m, k)), np.empty(k), np.zeros(k)
        units, derivatives = np.empty((3, h, k)), np.empty((3, k))
        load_columns(rows.x, start, network.shift, network.inverse_scale, u)
        preactivate(network, u, units[2])
        activate(network.activation, units[2], units[0], units[1], units[2])
        output(network, units[0], f)
        if need & NEED_YARDSTICK:
            _lengths_of_gradients(u, units, network.w2, norms)
        elif need & NEED_NORM:
            norms_of_columns(rows.x, start, u, norm_of, norms)
        w = rows.weight[start : start + k] if rows.weight.size else ones[:k]
        y = rows.y[start : start + k]
        slopes(f, y, inner, start, w, need, derivatives, sums.scalars)
        add_row_scalars(w, derivatives[0], norms, need, sums.scalars)
        _add_block(u, network, units, derivatives, need, sums)
        if need & NEED_MIXED:
            _add_mixed(u, network, units, attack, w, derivatives, inner.exponent, sums)
