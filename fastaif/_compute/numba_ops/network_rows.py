"""What one-layer networks give for each row: predictions, moves along a step in θ, shares of Φ."""

from __future__ import annotations

import numpy as np

from .basis_sums import load_columns
from .blas import add_product, write
from .jit import FAST, STRICT, operation
from .network_sums import rows_in_block
from .network_units import activate, output, preactivate, weigh
from .point_losses import point_loss
from .row_geometry import attack_directions


@operation(fastmath=STRICT)
def _units(network, x, start, u, units):
    """σ, σ' and σ'' of a block of rows, (3, h, k)."""
    load_columns(x, start, network.shift, network.inverse_scale, u)
    preactivate(network, u, units[2])
    activate(network.activation, units[2], units[0], units[1], units[2])


@operation(fastmath=STRICT)
def network_predictions(x, network, f):
    """Write f (k,) of rows x (k, m)."""
    n, m = x.shape
    h = network.b1.size
    size = rows_in_block(n, m + 3 * h)
    for start in range(0, n, size):
        k = min(size, n - start)
        u, units = np.empty((m, k)), np.empty((3, h, k))
        _units(network, x, start, u, units)
        output(network, units[0], f[start : start + k])


@operation(fastmath=FAST)
def _add_speeds(network, step, units, z, speed, bend):
    """d/dε and d²/dε² of f along a step; z (h, k) is that of the units' arguments."""
    for r in range(speed.size):
        speed[r] = step.b2
        bend[r] = 0.0
    for i in range(z.shape[0]):
        out, moved = network.w2[i], step.w2[i]
        for r in range(speed.size):
            along = units[1][i, r] * z[i, r]
            speed[r] += moved * units[0][i, r] + out * along
            bend[r] += 2.0 * moved * along + out * units[2][i, r] * z[i, r] * z[i, r]


@operation(fastmath=STRICT)
def network_moves(x, network, step, speed, bend, slopes):
    """Derivatives along θ + ε step, at ε = 0.

    Parameters
    ----------
    x : array (k, m)
    network, step : Network
        The step has the network's shift and scale.
    speed, bend : array (k,)
        d/dε and d²/dε² of f, written.
    slopes : array (2, m, k)
        ∇_u f and its d/dε, written; empty where they are not asked for.
    """
    n, m = x.shape
    h = network.b1.size
    size = rows_in_block(n, 3 * m + 4 * h)
    ones = np.ones(size)
    for start in range(0, n, size):
        k = min(size, n - start)
        u, units, z = np.empty((m, k)), np.empty((3, h, k)), np.empty((h, k))
        _units(network, x, start, u, units)
        preactivate(step, u, z)
        rows = slice(start, start + k)
        _add_speeds(network, step, units, z, speed[rows], bend[rows])
        if slopes.size == 0:
            continue
        g, t = np.empty((m, k)), np.empty((h, k))
        weigh(network.w2, units[1], ones[:k], t)
        add_product(network.w1, False, t, False, 0.0, g)
        write(g, slopes[0, :, rows])
        add_product(step.w1, False, t, False, 0.0, g)
        for i in range(h):
            for r in range(k):
                t[i, r] = (
                    step.w2[i] * units[1][i, r] + network.w2[i] * units[2][i, r] * z[i, r]
                )
        add_product(network.w1, False, t, False, 1.0, g)
        write(g, slopes[1, :, rows])


@operation(fastmath=STRICT)
def _write_share(u, p, units, c, w2, factors, out):
    """One row's ℓ'' sgn(ℓ') g (v, 1) + |ℓ'| ∇_θ⟨∇_u f, p⟩, factors being those of both parts."""
    m, h = u.size, w2.size
    along, size = factors
    for i in range(h):
        slope, bend = w2[i] * units[1][i], w2[i] * units[2][i] * c[i]
        for j in range(m):
            out[j * h + i] = (along * slope + size * bend) * u[j] + size * slope * p[j]
        out[m * h + i] = along * slope + size * bend
        out[m * h + h + i] = along * units[0][i] + size * units[1][i] * c[i]
    out[m * h + 2 * h] = along


@operation(fastmath=STRICT)
def network_shares(rows, network, attack, inner, out):
    """Each row's ∇_θ⟨∇_x ℓ, φ⟩, shape (k, d), written."""
    n, m = rows.x.shape
    h = network.b1.size
    size = rows_in_block(n, 3 * m + 5 * h)
    for start in range(0, n, size):
        k = min(size, n - start)
        u, units, t = np.empty((m, k)), np.empty((3, h, k)), np.empty((h, k))
        g, p, f = np.empty((m, k)), np.empty((m, k)), np.empty(k)
        gains, ties = np.empty(k), np.empty(k)
        _units(network, rows.x, start, u, units)
        output(network, units[0], f)
        weigh(network.w2, units[1], np.ones(k), t)
        add_product(network.w1, False, t, False, 0.0, g)
        attack_directions(g, attack, p, gains, ties)
        add_product(network.w1, True, p, False, 0.0, t)
        for r in range(k):
            _, slope, curvature = point_loss(inner.loss, inner.delta, f[r], rows.y[start + r])
            factors = (curvature * np.sign(slope) * gains[r], abs(slope))
            _write_share(
                u[:, r], p[:, r], units[:, :, r], t[:, r], network.w2, factors, out[start + r]
            )
