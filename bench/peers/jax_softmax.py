"""Influence of a softmax model as an expert would write it in JAX: jitted, float64, on the CPU.

The formulas are those of `numpy_softmax`. XLA has no syrk: the lower half of A^T A is made of a
product a class, of its rows and those of the classes up to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.jax_expert import load_jax

Array = NDArray[np.float64]

BLOCK = 4096


def runner(X: Array, y: NDArray[np.int64]) -> Callable[[Array, Array, float], Array]:
    """``influence(W, b, alpha)``, shape (K m + K,), for data handed to JAX beforehand."""
    jnp = load_jax().numpy
    X_jax, y_jax = jnp.asarray(X), jnp.asarray(y)

    def influence(W: Array, b: Array, alpha: float) -> Array:
        return np.asarray(_compiled()(X_jax, y_jax, W, b, alpha))

    return influence


@functools.cache
def _compiled() -> Callable[..., Any]:
    jax = load_jax()
    return jax.jit(functools.partial(_influence, jax))


def _influence(jax: Any, X: Any, y: Any, W: Any, b: Any, alpha: Any) -> Any:
    jnp = jax.numpy
    (n, m), K = X.shape, len(b)
    c = m + 1
    lower, mixed, norms = _sums(jax, X, y, W, b)
    pairs = jnp.tril(lower) + jnp.tril(lower, -1).T
    cells = (pairs / -n).reshape(K, c, K, c)
    places = jnp.arange(K)
    cells = cells.at[places, :, places, :].add(-cells.sum(axis=2))
    cells = cells + jnp.eye(c)[None, :, None, :] / K
    ridge = jnp.tile(jnp.append(jnp.full(m, 2.0 * alpha), 0.0), K)
    H = cells.reshape(K * c, K * c) + jnp.diag(ridge)
    factor = jax.scipy.linalg.cho_factor(H, lower=True)
    found = jax.scipy.linalg.cho_solve(factor, -(norms / n) * mixed.ravel() / n).reshape(K, c)
    return jnp.concatenate([found[:, :m].ravel(), found[:, m]])


def _sums(jax: Any, X: Any, y: Any, W: Any, b: Any) -> Any:
    """Sums over all rows; the rows after the last full block are added outside the loop."""
    add = functools.partial(jax.tree.map, jax.numpy.add)
    rows = min(BLOCK, len(y))
    blocks = len(y) // rows

    def step(i: Any, sums: Any) -> Any:
        x, labels = (jax.lax.dynamic_slice_in_dim(part, i * rows, rows) for part in (X, y))
        return add(sums, _block_sums(jax, x, labels, W, b))

    rest = _block_sums(jax, X[blocks * rows :], y[blocks * rows :], W, b)
    return jax.lax.fori_loop(0, blocks, step, rest)


def _block_sums(jax: Any, x: Any, y: Any, W: Any, b: Any) -> Any:
    jnp, K = jax.numpy, len(b)
    z = jnp.concatenate([x, jnp.ones((len(x), 1))], axis=1)
    pi = jax.nn.softmax(x @ W.T + b, axis=1)
    a = pi - jax.nn.one_hot(y, K)
    phi = a @ W
    phi = phi / jnp.linalg.norm(phi, axis=1, keepdims=True)
    moved = phi @ W.T
    moved = pi * (moved - (pi * moved).sum(axis=1, keepdims=True))
    mixed = moved.T @ z + a.T @ jnp.pad(phi, ((0, 0), (0, 1)))
    scaled = (pi[:, :, None] * z[:, None, :]).reshape(len(x), K * z.shape[1])
    c = z.shape[1]
    strips = [
        jnp.pad(scaled[:, k * c : (k + 1) * c].T @ scaled[:, : (k + 1) * c],
                ((0, 0), (0, (K - k - 1) * c)))
        for k in range(K)
    ]  # fmt: skip
    return jnp.concatenate(strips), mixed, jnp.linalg.norm(x, axis=1).sum()
