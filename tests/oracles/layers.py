"""Networks of any depth in complex numbers: derivatives by complex steps.

theta is W1 by rows of (inputs, units), b1, W2, b2, …; weights are penalised, biases are not. First
derivatives are exact to rounding; second ones are differences of these, extrapolated once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from .linear import Vector, attack_scale, normalised_weights, shift_and_scale
from .norms import Array, scaled_direction

_STEP = 1e-30


def activation(name: str, z: Array) -> Array:
    """The activation of complex numbers."""
    if name == "tanh":
        return np.tanh(z)
    if name == "logistic":
        return 1.0 / (1.0 + np.exp(-z))
    if name == "softplus":
        return np.log(1.0 + np.exp(z))
    if name == "gelu":
        return 0.5 * z * (1.0 + erf(z / np.sqrt(2.0)))
    if name == "relu":
        return np.where(z.real > 0.0, z, 0.0)
    return z


def outputs(theta: Array, U: Array, sizes: Sequence[int], name: str) -> Array:
    """F (n, K) at inputs U (n, m)."""
    start, a = 0, U
    for place in range(len(sizes) - 1):
        i, o = sizes[place], sizes[place + 1]
        W = theta[start : start + i * o].reshape(i, o)
        a = a @ W + theta[start + i * o : start + i * o + o]
        start += (i + 1) * o
        if place < len(sizes) - 2:
            a = activation(name, a)
    return a


def penalised(sizes: Sequence[int]) -> Array:
    """One for weights, zero for biases."""
    return np.concatenate([
        np.repeat([1.0, 0.0], [i * o, o]) for i, o in itertools.pairwise(sizes)
    ])  # fmt: skip


def losses(name: str, F: Array, y: Array) -> Array:
    """Each row's loss; of softmax y is the number of its class."""
    if name in ("squared_error", "outputs"):
        return ((F - y.reshape(F.shape)) ** 2).sum(axis=1)
    if name == "logistic":
        return np.log(1.0 + np.exp(-y * F[:, 0]))
    own = F[np.arange(len(F)), y.astype(int)]
    return np.log(np.exp(F - own[:, None]).sum(axis=1))


def rows_by_complex_steps(function: Callable[[Array], Array], theta: Array) -> Array:
    """The gradients (n, d) of n analytic functions of theta, to rounding."""
    out = []
    for k in range(theta.size):
        moved = theta.astype(complex)
        moved[k] += 1j * _STEP
        out.append(function(moved).imag / _STEP)
    return np.stack(out, axis=1)


def slope(function: Callable[[float], Array], step: float = 2e-4) -> Array:
    """The derivative at 0, by central differences extrapolated twice."""

    def central(h: float) -> Array:
        return (function(h) - function(-h)) / (2.0 * h)

    one, two, four = central(step), central(2.0 * step), central(4.0 * step)
    first, second = (4.0 * one - two) / 3.0, (4.0 * two - four) / 3.0
    return (16.0 * first - second) / 15.0


def everything(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    sizes: Sequence[int],
    *,
    name: str,
    kind: str,
    alpha: float = 0.0,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    step: float = 2e-4,
    **attack: Any,
) -> dict[str, Any]:
    """Gradient, Hessian, shares of Phi by sample, Phi, s; a short step keeps from relu's kinks."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    theta = np.asarray(theta, dtype=np.float64)
    n, m = X.shape
    w = normalised_weights(n, sample_weight)
    mu, sigma = shift_and_scale(m, shift, scale)
    c, s = attack_scale(
        X, p=p, sample_weight=sample_weight, shift=shift, scale=scale, **attack
    )
    pen = penalised(sizes)

    def at(t: Array, inputs: Array) -> Array:
        return losses(kind, outputs(t, (inputs - mu) / sigma, sizes, name), y)

    slopes = np.empty((n, m))
    for k in range(m):
        moved = X.astype(complex)
        moved[:, k] += 1j * _STEP
        slopes[:, k] = at(theta, moved).imag / _STEP
    phi = np.array([scaled_direction(g, p, c) for g in slopes])

    def gradients(t: Array, inputs: Array) -> Array:
        return rows_by_complex_steps(lambda v: at(v, inputs), t)

    shares = s * slope(lambda h: gradients(theta, X + h * phi), step)

    def gradient(t: Array) -> Array:
        return w @ gradients(t, X) + 2.0 * alpha * pen * t

    basis = np.eye(theta.size)
    H = np.array([slope(lambda h, e=e: gradient(theta + h * e), step) for e in basis])
    return {
        "gradient": gradient(theta), "hessian": 0.5 * (H + H.T), "shares": shares,
        "mixed": w @ shares, "radius": s,
    }  # fmt: skip
