"""The Hessian and the mixed derivative by automatic differentiation (JAX, double precision)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .linear import Vector, attack_scale, normalised_weights, shift_and_scale
from .norms import Array, scaled_direction


def jax_loss(name: str, f: Any, y: Any, delta: float) -> Any:
    """The pointwise loss as a JAX expression; its derivatives are left to JAX."""
    import jax
    import jax.numpy as jnp

    if name == "squared_error":
        return (f - y) ** 2
    if name == "logistic":
        return jax.nn.softplus(-y * f)
    if name == "poisson":
        return jnp.exp(f) - y * f
    return delta**2 * (jnp.sqrt(1.0 + ((f - y) / delta) ** 2) - 1.0)


def mixed_and_hessian(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    theta: npt.ArrayLike,
    *,
    loss: str,
    alpha: float = 0.0,
    fit_intercept: bool = True,
    p: float = 2.0,
    sample_weight: Vector = None,
    shift: Vector = None,
    scale: Vector = None,
    feature_scale: Vector = None,
    attackable: Vector = None,
    attack_space: str = "scaled",
    radius: str | float = "mean_norm",
    delta: float = 1.0,
) -> tuple[Array, Array]:
    """Phi, the gradient of theta -> s E_n<grad_x l(theta, x_i, y_i), phi_i>, and the Hessian of L.

    phi_i maximises <grad_x l_i, .> over the unit ball of the attack and is held fixed at theta.
    Everything starts from l(theta, x, y) as a function of the raw x.
    """
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    m = X.shape[1]
    w = normalised_weights(len(X), sample_weight)
    mu, sigma = shift_and_scale(m, shift, scale)
    c, s = attack_scale(
        X,
        p=p,
        sample_weight=sample_weight,
        shift=shift,
        scale=scale,
        feature_scale=feature_scale,
        attackable=attackable,
        attack_space=attack_space,
        radius=radius,
    )

    def sample_loss(t: Any, x: Any, target: Any) -> Any:
        f = jnp.dot(t[:m], (x - mu) / sigma) + (t[m] if fit_intercept else 0.0)
        return jax_loss(loss, f, target, delta)

    def objective(t: Any) -> Any:
        losses = jax.vmap(sample_loss, in_axes=(None, 0, 0))(t, X, y)
        return jnp.sum(w * losses) + alpha * jnp.sum(t[:m] ** 2)

    input_gradients = jax.jit(
        jax.vmap(jax.grad(sample_loss, argnums=1), in_axes=(None, 0, 0))
    )
    t0 = jnp.asarray(np.asarray(theta, dtype=np.float64))
    phi = scaled_direction(np.asarray(input_gradients(t0, X, y)), p, c)

    def attacked(t: Any) -> Any:
        return s * jnp.sum(w[:, None] * input_gradients(t, X, y) * phi)

    return np.asarray(jax.jit(jax.grad(attacked))(t0)), np.asarray(
        jax.jit(jax.hessian(objective))(t0)
    )
