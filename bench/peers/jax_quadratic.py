"""Influence of a quadratic regression in JAX: jitted, float64, on the CPU, by blocks of rows.

The same formulas and order as in `numpy_quadratic`. JAX is imported on first use: it is optional.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.jax_expert import load_jax

Array = NDArray[np.float64]

BLOCK = 2048


def runner(X: Array, y: Array) -> Callable[[Array, Array, float, float], Array]:
    """``influence(linear, matrix, b, alpha)`` for data handed to JAX beforehand, untimed."""
    jnp = load_jax().numpy
    X_jax, y_jax = jnp.asarray(X), jnp.asarray(y)

    def influence(linear: Array, matrix: Array, b: float, alpha: float) -> Array:
        return np.asarray(_compiled()(X_jax, y_jax, linear, matrix, b, alpha))

    return influence


@functools.cache
def _compiled() -> Callable[..., Any]:
    jax = load_jax()
    return jax.jit(functools.partial(_influence, jax))


def _influence(jax: Any, X: Any, y: Any, linear: Any, matrix: Any, b: Any, alpha: Any) -> Any:
    jnp = jax.numpy
    n, m = X.shape
    above = np.triu_indices(m)
    block = functools.partial(_block_sums, jax, linear=linear, matrix=matrix, b=b)
    outer, mixed, moves, radius = (part / n for part in _sums(jax, X, y, block))
    moved = jnp.concatenate((moves[:, m], (moves[:, :m] + moves[:, :m].T)[above], jnp.zeros(1)))
    d = len(outer) - 1
    penalty = jnp.where((jnp.arange(d + 1) >= m) & (jnp.arange(d + 1) < d), alpha, 0.0)
    return jnp.linalg.solve(outer + jnp.diag(penalty), -radius * (mixed + moved))


def _sums(jax: Any, X: Any, y: Any, block: Callable[[Any, Any], Any]) -> Any:
    """Sums over all rows; the rows after the last full block are added outside the loop."""
    add = functools.partial(jax.tree.map, jax.numpy.add)
    rows = min(BLOCK, len(y))
    blocks = len(y) // rows

    def step(i: Any, sums: Any) -> Any:
        x, target = (jax.lax.dynamic_slice_in_dim(part, i * rows, rows) for part in (X, y))
        return add(sums, block(x, target))

    return jax.lax.fori_loop(0, blocks, step, block(X[blocks * rows :], y[blocks * rows :]))


def _block_sums(jax: Any, x: Any, y: Any, linear: Any, matrix: Any, b: Any) -> Any:
    jnp = jax.numpy
    ones = jnp.ones((len(y), 1))
    first, second = np.triu_indices(x.shape[1])
    V = jnp.concatenate((x, x[:, first] * x[:, second], ones), axis=1)
    half = x @ matrix
    r = x @ linear + (half * x).sum(axis=1) + b - y
    g = 2.0 * half + linear
    slope = jnp.linalg.norm(g, axis=1)
    pull = g * (jnp.abs(r) / slope)[:, None]
    moves = pull.T @ jnp.concatenate((x, ones), axis=1)
    return V.T @ V, (jnp.sign(r) * slope) @ V, moves, jnp.linalg.norm(x, axis=1).sum()
