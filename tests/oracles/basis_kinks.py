"""How far eps may go for a basis model: the first kink that its robust path may have."""

from __future__ import annotations

import numpy as np

from .basis import Fourier, input_gradients, rows
from .linear import attack_scale, least_positive, normalised_weights
from .norms import dual_order, norm


def validity_radius(
    basis,
    X,
    y,
    theta,
    influence,
    *,
    loss,
    fit_intercept=True,
    p=2.0,
    sample_weight=None,
    **attack,
):
    """The eps > 0 of the events after which the robust path may have a kink, by name.

    "residual": the l' of a sample of positive weight changes sign on the line theta + eps I;
    "sign" (p = inf, or a single attackable feature): an attackable entry of its input gradient
    does; "argmax" (p = 1): another entry of that overtakes the largest; "vanishing": its ball at
    theta may reach a point of zero gradient: a pair of bounds, equal where the Lipschitz constant
    of the gradient is known exactly.
    """
    keep = normalised_weights(len(X), sample_weight) > 0
    c, s = attack_scale(X, p=p, sample_weight=sample_weight, **attack)
    X, y = np.asarray(X, dtype=np.float64)[keep], np.asarray(y, dtype=np.float64)[keep]
    coef, speed = (t[:-1] if fit_intercept else t for t in (theta, influence))
    used = c > 0
    G, dG = ((c * input_gradients(basis, X, t))[:, used] for t in (coef, speed))
    events = {"residual": residual_crossing(basis, X, y, theta, influence, loss, fit_intercept)}
    if np.isinf(p) or np.sum(used) == 1:
        events["sign"] = least_positive(-G, dG)
    elif p == 1:
        events["argmax"] = min(overtaking(g, h) for g, h in zip(G, dG, strict=True))
    reach = np.min(norm(G, dual_order(p))) / s
    with np.errstate(divide="ignore"):
        low, high = (np.float64(reach) / bend for bend in lipschitz_bounds(basis, coef, c, p)[::-1])
    events["vanishing"] = (float(low), float(high))
    return events


def lipschitz_bounds(basis, coef, c, p):
    """Bounds on the Lipschitz constant of t -> c grad f(c t), from lp to lq; (0, 0): unknown.

    The lower one is the largest stretch found over many directions (and points), the upper one
    the worse of two inequalities; for p = 1 and 2 and a constant Hessian both are exact.
    """
    q, rng = dual_order(p), np.random.default_rng(0)
    signs = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * len(c)), axis=-1).reshape(-1, len(c))
    U = np.concatenate([signs[np.any(signs, axis=1)], rng.normal(size=(200, len(c)))])
    U /= norm(U, p)[:, None]
    if isinstance(basis, Fourier):
        weights = basis.height * np.abs(coef)
        W = basis.frequencies * c
        angles = np.einsum("hk,ik->ih", basis.frequencies, 3.0 * rng.normal(size=(50, len(c))))
        cosines = np.cos(angles + basis.phases)
        found = np.einsum("ih,hj,uh->iuj", -basis.height * coef * cosines, W, U @ W.T)
        return float(np.max(norm(found, q))), float(weights @ norm(W, q) ** 2)
    M = basis.input_hessian(coef, len(c)) if hasattr(basis, "input_hessian") else None
    if M is None:
        return 0.0, 0.0
    M = np.outer(c, c) * M
    if p == 1:
        return (np.max(np.abs(M)),) * 2
    if p == 2:
        return (np.linalg.norm(M, ord=2),) * 2
    # ||Mu||_q <= sum |M| ||u||_p, and <= k^(1 - 2 / p) ||M||_2 ||u||_p if k features are attacked.
    k, spectral = np.sum(c > 0), np.linalg.norm(M, ord=2)
    bounds = np.sum(np.abs(M)), spectral * max(1.0, k ** (1.0 - 2.0 / p))
    return float(np.max(norm(U @ M, q))), float(max(bounds))


def residual_crossing(basis, X, y, theta, influence, loss, fit_intercept):
    """l' is zero at f = y, for Poisson at f = log y (nowhere if y = 0), for logistic nowhere."""
    if loss == "logistic":
        return np.inf
    if loss == "poisson":
        X, y = X[y > 0], np.log(y[y > 0])
    Z = rows(basis, X, fit_intercept)
    return least_positive(y - Z @ theta, Z @ influence)


def overtaking(g, h):
    """The least eps > 0 at which another |g_k + eps h_k| equals the largest's."""
    j = int(np.argmax(np.abs(g)))
    gk, hk = np.delete(g, j), np.delete(h, j)
    return min(least_positive(g[j] - gk, hk - h[j]), least_positive(-g[j] - gk, hk + h[j]))
