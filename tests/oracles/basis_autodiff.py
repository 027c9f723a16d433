"""Phi and the Hessian of basis models by automatic differentiation (JAX, double precision)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .autodiff import jax_loss
from .linear import attack_scale, normalised_weights
from .norms import scaled_direction


def jax_features(name: str, degree: int = 0, frequencies: Any = None, phases: Any = None) -> Any:
    """v(x) of one sample as a JAX function; its derivatives are left to JAX."""
    import jax.numpy as jnp

    def quadratic(x):
        j, k = np.triu_indices(len(x))
        return jnp.concatenate([x, jnp.outer(x, x)[j, k]])

    def powers(x):
        return jnp.concatenate([x**k for k in range(1, degree + 1)])

    def fourier(x):
        return jnp.sqrt(2.0 / len(phases)) * jnp.cos(frequencies @ x + phases)

    return {"quadratic": quadratic, "powers": powers, "fourier": fourier}[name]


def mixed_and_hessian(
    features, X, y, theta, *, loss, penalised, alpha=0.0, fit_intercept=True, p=2.0,
    sample_weight=None, delta=1.0, **attack,
):  # fmt: skip
    """Phi, the gradient of theta -> s E_n<grad_x l(theta, x_i, y_i), phi_i>, and the Hessian of L.

    phi_i maximises <grad_x l_i, .> over the unit ball of the attack and is held fixed at theta.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    w = normalised_weights(len(X), sample_weight)
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    d = len(theta) - int(fit_intercept)

    def sample_loss(t, x, target):
        f = features(x) @ t[:d] + (t[d] if fit_intercept else 0.0)
        return jax_loss(loss, f, target, delta)

    def objective(t):
        losses = jax.vmap(sample_loss, in_axes=(None, 0, 0))(t, X, y)
        return jnp.sum(w * losses) + alpha * jnp.sum(penalised * t**2)

    input_gradients = jax.jit(
        jax.vmap(jax.grad(sample_loss, argnums=1), in_axes=(None, 0, 0))
    )
    t0 = jnp.asarray(theta)
    phi = scaled_direction(np.asarray(input_gradients(t0, X, y)), p, c)

    def attacked(t):
        return s * jnp.sum(w[:, None] * input_gradients(t, X, y) * phi)

    return np.asarray(jax.jit(jax.grad(attacked))(t0)), np.asarray(
        jax.jit(jax.hessian(objective))(t0)
    )
