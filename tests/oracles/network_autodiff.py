"""The Hessian and the mixed derivative of networks by automatic differentiation (JAX)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .autodiff import jax_loss
from .linear import Vector, attack_scale, normalised_weights
from .norms import Array, scaled_direction


def mixed_and_hessian(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    name: str,
    loss: str,
    alpha: float,
    p: float,
    sample_weight: Vector = None,
) -> tuple[Array, Array]:
    """Phi and the Hessian of the objective, from the loss as a function of theta and x alone."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    m, d = X.shape[1], np.size(theta)
    h = (d - 1) // (m + 2)
    w = normalised_weights(len(X), sample_weight)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight)
    act = {
        "tanh": jnp.tanh,
        "softplus": jax.nn.softplus,
        "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    }[name]

    def sample_loss(t: Any, x: Any, target: Any) -> Any:
        W1, w2 = t[: m * h].reshape(m, h), t[m * h + h : -1]
        f = jnp.dot(w2, act(x @ W1 + t[m * h : m * h + h])) + t[-1]
        return jax_loss(loss, f, target, 1.0)

    def objective(t: Any) -> Any:
        losses = jax.vmap(sample_loss, in_axes=(None, 0, 0))(t, X, y)
        return jnp.sum(w * losses) + alpha * (
            jnp.sum(t[: m * h] ** 2) + jnp.sum(t[m * h + h : -1] ** 2)
        )

    slopes = jax.jit(jax.vmap(jax.grad(sample_loss, argnums=1), in_axes=(None, 0, 0)))
    t0 = jnp.asarray(np.asarray(theta, dtype=np.float64))
    phi = scaled_direction(np.asarray(slopes(t0, X, y)), p, c)

    def attacked(t: Any) -> Any:
        return s * jnp.sum(w[:, None] * slopes(t, X, y) * phi)

    return np.asarray(jax.jit(jax.grad(attacked))(t0)), np.asarray(
        jax.jit(jax.hessian(objective))(t0)
    )
