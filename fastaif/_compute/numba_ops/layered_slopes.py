"""How high a network of any depth is for one row, and its slopes there.

    a_0 = u,   a_l = σ(a_{l−1} W_l + b_l) (l < L),   f = a_{L−1} W_L + b_L

Heights are what a head makes of f (`families/layered/heads`); backwards δ_L = ∇_f of the height and
δ_{l−1} = δ_l W_lᵀ ∘ σ'(z_{l−1}), and the slopes are δ_1 W_1ᵀ. All layers' units stand one after
the other in one array, σ' beside them.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import CLASSES, IDENTITY, ONE_OUTPUT, RELU, SIGMOID
from .jit import FAST, STRICT, operation
from .network_units import activation_at
from .point_losses import is_monotone, point_loss


@operation(fastmath=STRICT, inline=True)
def _unit_at(kind, z):
    """σ and σ' at one point."""
    if kind == SIGMOID:
        e = math.exp(-abs(z))
        inverse = 1.0 / (1.0 + e)
        return inverse if z > 0.0 else e * inverse, e * inverse * inverse
    if kind == RELU:
        return 0.0 if z <= 0.0 else z, 1.0 if z > 0.0 else 0.0
    if kind == IDENTITY:
        return z, 1.0
    value, slope, _ = activation_at(kind, z)
    return value, slope


@operation(fastmath=FAST)
def _forwards(a, W, b, z):
    """z = a W + b."""
    z[:] = b
    for i in range(a.size):
        for j in range(z.size):
            z[j] += a[i] * W[i, j]


@operation(fastmath=FAST)
def _backwards(delta, W, out):
    """out = δ Wᵀ."""
    for i in range(out.size):
        total = 0.0
        for j in range(delta.size):
            total += W[i, j] * delta[j]
        out[i] = total


@operation(fastmath=STRICT)
def _classes(f, own):
    """log Σ_{k≠own} e^{f_k} − f_own; f becomes the shares of the others, and −1."""
    mine, top, total = f[own], -np.inf, 0.0
    for k in range(f.size):
        f[k] = f[k] - mine if k != own else -np.inf
        top = f[k] if f[k] > top or f[k] != f[k] else top
    for k in range(f.size):
        f[k] = math.exp(f[k] - top)
        total += f[k]
    for k in range(f.size):
        f[k] = f[k] / total if k != own else -1.0
    return top + math.log(total)


@operation(fastmath=STRICT)
def _head(head, f, y):
    """The height of outputs; f becomes its derivative in them."""
    if head.kind == CLASSES:
        return _classes(f, int(y[0]))
    if head.kind == ONE_OUTPUT:
        if is_monotone(head.loss):
            height = -y[0] * f[0]
            f[0] = -y[0]
        else:
            height, f[0], _ = point_loss(head.loss, head.delta, f[0], y[0])
        return height
    total = 0.0
    for k in range(f.size):
        error = f[k] - y[k]
        total += error * error
        f[k] = 2.0 * error
    return total


@operation(fastmath=STRICT)
def rise(layers, head, u, y, units, bends, slopes):
    """The height at inputs u (m,), and its slopes there, written; `units` and `bends` are room for
    all layers' units."""
    a, at, start, n_layers = u, 0, 0, layers.widths.size - 1
    for layer in range(n_layers):
        i, o = layers.widths[layer], layers.widths[layer + 1]
        W, b = layers.theta[start : start + i * o].reshape(i, o), start + i * o
        z = units[at : at + o]
        _forwards(a, W, layers.theta[b : b + o], z)
        if layer + 1 < n_layers:
            for k in range(o):
                z[k], bends[at + k] = _unit_at(layers.activation, z[k])
        a, at, start = z, at + o, b + o
    height = _head(head, a, y)
    for layer in range(n_layers - 1, -1, -1):
        i, o = layers.widths[layer], layers.widths[layer + 1]
        start, at = start - (i + 1) * o, at - o
        W, delta = layers.theta[start : start + i * o].reshape(i, o), units[at : at + o]
        if layer == 0:
            _backwards(delta, W, slopes)
        else:
            before = units[at - i : at]
            _backwards(delta, W, before)
            for k in range(i):
                before[k] *= bends[at - i + k]
    return height
