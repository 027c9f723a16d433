"""Influence of kernel regression in JAX: jitted, float64, on the CPU, on whole arrays.

The same algebra as in `numpy_kernel`, written without regard to memory: XLA fuses what comes before
and after the matrix products. JAX is imported on first use: it is optional.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.jax_expert import load_jax
from bench.peers.numpy_kernel import Kernel

Array = NDArray[np.float64]


def runner(
    kernel: Kernel, X: Array, y: Array, penalty: str = "l2"
) -> Callable[[Array, float], Array]:
    """``influence(theta, alpha)``, shape (n,), for data handed to JAX beforehand, untimed."""
    jnp = load_jax().numpy
    X_jax, y_jax = jnp.asarray(X), jnp.asarray(y)
    compiled = _compiled(_influence, kernel, penalty)
    return lambda theta, alpha: np.asarray(compiled(X_jax, y_jax, theta, alpha))


def directional_runner(
    kernel: Kernel, X: Array, Z: Array, B: Array, V: Array, autodiff: bool = False
) -> Callable[[], Array]:
    """``sum_j <grad_1 K(x_i, z_j), B_i> V_j``, shape (n,), by hand or as JAX's own derivative."""
    jnp = load_jax().numpy
    arguments = tuple(map(jnp.asarray, (X, Z, B, V)))
    compiled = _compiled(_differentiated if autodiff else _directional, kernel)
    return lambda: np.asarray(compiled(*arguments))


@functools.cache
def _compiled(function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
    jax = load_jax()
    return jax.jit(functools.partial(function, jax, *static))


def _influence(
    jax: Any, kernel: Kernel, penalty: str, X: Any, y: Any, theta: Any, alpha: Any
) -> Any:
    jnp = jax.numpy
    K, slopes, ratios = _pairs(jnp, kernel, X, X, same=True)
    r = -0.5 * theta if penalty == "rkhs" else K @ theta - y
    S = jnp.outer(r, theta) + jnp.outer(theta, r)  # dLoss/dK_ij + dLoss/dK_ji, up to a factor
    pull = (S * slopes) @ X + (S * ratios).sum(axis=1)[:, None] * X
    radius = jnp.linalg.norm(X, axis=1).mean()
    B = pull * (radius / jnp.linalg.norm(pull, axis=1, keepdims=True))
    D = slopes * (B @ X.T) + ratios * (B * X).sum(axis=1)[:, None]
    shift = len(y) * alpha * jnp.eye(len(y))
    moved = D @ theta + D.T @ theta
    if penalty == "rkhs":
        return -_solve(jax, K + shift, moved)
    return -_solve(jax, K @ K + shift, K @ moved + D @ r + D.T @ r)


def _solve(jax: Any, symmetric: Any, right: Any) -> Any:
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(symmetric), right)


def _pairs(jnp: Any, kernel: Kernel, X: Any, Z: Any, same: bool = False) -> tuple[Any, Any, Any]:
    """K, a and b (n, k), where ``grad_1 K(x, z) = a z + b x``; half of K(x, x)'s for x = z."""
    squares, products = (X * X).sum(axis=1), X @ Z.T
    if kernel.kind == "rbf":
        K = _rbf(jnp, kernel, squares, (Z * Z).sum(axis=1), products)
        if same:
            K = jnp.where(jnp.eye(len(X), dtype=bool), 1.0, K)
        return K, 2.0 * kernel.gamma * K, -2.0 * kernel.gamma * K
    angle, sine, cosine = _angles(jnp, products, squares, (Z * Z).sum(axis=1))
    if same:
        diagonal = jnp.eye(len(X), dtype=bool)
        angle, sine = jnp.where(diagonal, 0.0, angle), jnp.where(diagonal, jnp.inf, sine)
    rest = (jnp.pi - angle) / (2.0 * jnp.pi)
    turn = cosine / (2.0 * jnp.pi * sine)
    return products * rest, rest + turn, -turn * products / squares[:, None]


def _rbf(jnp: Any, kernel: Kernel, squares: Any, z_squares: Any, products: Any) -> Any:
    return jnp.exp(kernel.gamma * (2.0 * products - squares[:, None] - z_squares))


def _angles(jnp: Any, products: Any, squares: Any, z_squares: Any) -> tuple[Any, Any, Any]:
    sizes = jnp.sqrt(squares)[:, None] * jnp.sqrt(z_squares)
    cosine = jnp.clip(products / sizes, -1.0, 1.0)
    return jnp.arccos(cosine), jnp.sqrt(1.0 - cosine * cosine), cosine


def _directional(jax: Any, kernel: Kernel, X: Any, Z: Any, B: Any, V: Any) -> Any:
    _, slopes, ratios = _pairs(jax.numpy, kernel, X, Z)
    return ((slopes @ (V[:, None] * Z)) * B).sum(axis=1) + (ratios @ V) * (X * B).sum(axis=1)


def _differentiated(jax: Any, kernel: Kernel, X: Any, Z: Any, B: Any, V: Any) -> Any:
    return jax.jvp(lambda x: _values(jax.numpy, kernel, x, Z) @ V, (X,), (B,))[1]


def _values(jnp: Any, kernel: Kernel, X: Any, Z: Any) -> Any:
    """K as a user would write it, for JAX to differentiate."""
    squares, z_squares, products = (X * X).sum(axis=1), (Z * Z).sum(axis=1), X @ Z.T
    if kernel.kind == "rbf":
        return _rbf(jnp, kernel, squares, z_squares, products)
    angle, _, _ = _angles(jnp, products, squares, z_squares)
    return products * (jnp.pi - angle) / (2.0 * jnp.pi)
