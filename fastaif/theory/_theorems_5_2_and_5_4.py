"""Linear models: Theorem 5.2, Corollary 5.1 and Theorem 5.4."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..norms import dual_direction
from ..utils import validation
from ._arguments import counts, like, nonnegative, nonzero, scale, square, times, vector

Array = NDArray[Any]


def gaussian_mean_norm(m: Any, sigma_x: float = 1.0) -> Any:
    """E‖x‖₂ for x ~ N(0, σx² I_m): σx √2 Γ((m+1)/2) / Γ(m/2).

    Parameters
    ----------
    m : int or array of int, at least 1
    sigma_x : float above 0
        Standard deviation of each feature.

    Returns
    -------
    float or array
        Shaped like `m`, in the units of x.
    """
    return like(m, np.sqrt(2.0) * scale(sigma_x, "sigma_x") * _gamma_ratio(counts(m, "m")))


def linear_sensitivity(
    mean_norm: float,
    mean_abs_residual: float,
    sigma_x: float,
    eps: Any = 1.0,
    *,
    beta: Any = None,
    p: float = 2.0,
) -> Any:
    """S of linear regression (Theorem 5.2): ``ε² s² (E|η|)² ‖φ(β)‖₂² / σx²``.

    It holds without an intercept, for features of mean zero and covariance σx² I, and for
    a residual η = y − βᵀx of the best linear model with E[x sgn η] = 0 (which is more than
    being uncorrelated). The theorem is about p = 2, where ‖φ(β)‖₂ = 1; the same steps give
    the formula for any p.

    Parameters
    ----------
    mean_norm : float
        s = E‖x‖_p.
    mean_abs_residual : float
        E|η|, in units of y.
    sigma_x : float
    eps : float or array, default 1
        1 gives S/ε².
    beta : array (m,), optional
        The population's coefficients; needed unless p = 2.
    p : float in [1, inf], default 2
        The attack's norm.

    Returns
    -------
    float or array
        S in units of the loss (f − y)², shaped like `eps`.

    Raises
    ------
    ValueError
        Negative or non-finite numbers; p < 1; p other than 2 without `beta`, or β = 0.
    """
    s = validation.number(mean_norm, "mean_norm", low=0.0)
    residual = validation.number(mean_abs_residual, "mean_abs_residual", low=0.0)
    p = validation.number(p, "p", low=1.0, infinite=True)
    if beta is None and p != 2:
        raise ValueError(f"p = {p:g} needs beta: its dual direction enters unless p = 2")
    share = 1.0 if beta is None else float(np.sum(dual_direction(nonzero(beta, "beta"), p) ** 2))
    return times(eps, share * square(s * residual / scale(sigma_x, "sigma_x")))


def random_effects_sensitivity(
    m: Any, n_effects: int, sigma_x: float, sigma_noise: float, eps: float = 1.0
) -> Any:
    """S of linear regression on m of M random effects (Corollary 5.1), expected over them.

    ``(4 ε²/π) (Γ((m+1)/2) / Γ(m/2))² ((M − m) σx² + σξ²)`` for y = βᵀx + ξ with
    β ~ N(0, I_M), x ~ N(0, σx² I_M) and ξ ~ N(0, σξ²), fitted without an intercept to the
    first m features; p = 2 and s = E‖x‖₂ of those m. It rises with m and falls again, with
    its peak near m = (M σx² + σξ²) / (2 σx²).

    Parameters
    ----------
    m : int or array of int in [1, M]
        Features in the model.
    n_effects : int
        M.
    sigma_x : float above 0
    sigma_noise : float of at least 0
        σξ, in units of y.
    eps : float, default 1
        1 gives S/ε².

    Returns
    -------
    float or array
        In units of the loss (f − y)², shaped like `m`.

    Raises
    ------
    ValueError
        m outside [1, M]; scales that are not finite, negative, or σx = 0.
    """
    used, total = counts(m, "m"), validation.count(n_effects, "n_effects")
    if np.any(used > total):
        raise ValueError(f"m must be at most n_effects = {total}, but is {m!r}")
    variance = square(scale(sigma_x, "sigma_x"))
    noise = validation.number(sigma_noise, "sigma_noise", low=0.0)
    radius = validation.number(eps, "eps", low=0.0)
    left_out = (total - used) * variance + square(noise)
    return like(m, 4.0 * square(radius) / np.pi * _gamma_ratio(used) ** 2 * left_out)


def smoothing_ratio(beta: Any, sigma_x: float, sigma_r: Any, sigma_noise: float) -> Any:
    """S with randomized smoothing over S without it (Theorem 5.4), for linear regression.

    ``c² (σr² c ‖β‖₂² + ση²) / ση²`` with c = σx² / (σx² + σr²), for Gaussian x ~ N(0, σx² I)
    and y = βᵀx + η, η ~ N(0, ση²), fitted without an intercept to x + N(0, σr² I); p = 2, the
    scale s is that of the clean x, and each noisy copy of a sample is attacked by itself.
    Both S are eq. 4's quadratic term on clean x. With noise θ̂ = cβ does not minimise the
    clean loss, so the exact change of the clean loss has a term of first order in ε besides.

    The ratio falls to 0 as σr grows; it passes through values above 1 where
    σx² ‖β‖² > 2 ση².

    Parameters
    ----------
    beta : array (m,)
    sigma_x : float above 0
    sigma_r : float or array, at least 0
        The noise added to each feature, in its units.
    sigma_noise : float above 0
        ση, in units of y.

    Returns
    -------
    float or array
        Shaped like `sigma_r`; free of units, and of the loss's factor.

    Raises
    ------
    ValueError
        Scales that are negative, not finite, or 0 where that is not allowed.
    """
    added, sd = nonnegative(sigma_r, "sigma_r"), scale(sigma_x, "sigma_x")
    noise, length = scale(sigma_noise, "sigma_noise"), np.linalg.norm(vector(beta, "beta"))
    # Ratios of scales first: squares of the scales themselves could overflow.
    both = np.hypot(sd, added)
    kept, fed = sd / both, (added / both) * (sd * length / noise)
    with np.errstate(over="ignore", invalid="ignore"):
        return like(sigma_r, kept**4 * (fed**2 + 1.0))


def _gamma_ratio(m: Array) -> Array:
    """Γ((m+1)/2) / Γ(m/2).

    By Pochhammer's symbol: a difference of two log-gammas loses the digits that they have
    in common (1e-10 is left at m = 1e6, 1e-6 at m = 1e9).
    """
    from scipy.special import poch

    return np.asarray(poch(m / 2.0, 0.5))
