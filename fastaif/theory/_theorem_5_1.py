"""Linear against quadratic models of a quadratic truth: Theorem 5.1, both sides."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..norms import conjugate, dual_direction, lp_norm
from ..utils import validation
from ._arguments import like, nonzero, scale, square, vector
from ._theorems_5_2_and_5_4 import gaussian_mean_norm

Array = NDArray[Any]

_REACH = 12.0  # standard deviations; beyond them lies a mass of 4e-33
_TOLERANCE = 1e-12


class QuadraticVsLinear(NamedTuple):
    """The two sides of Theorem 5.1, in units of the loss (f − y)².

    Attributes
    ----------
    linear, quadratic : float
        S(L) and S(Q).
    linear_error, quadratic_error : float
        How far the quadrature may be off, by its own estimate.
    """

    linear: float
    quadratic: float
    linear_error: float
    quadratic_error: float


def quadratic_vs_linear(
    beta1: Any,
    beta2: Any,
    sigma_x: float,
    sigma_noise: float,
    eps: float = 1.0,
    *,
    p: float = 2.0,
    fit_intercept: bool = False,
    mean_norm: float | None = None,
) -> QuadraticVsLinear:
    """S of linear and of quadratic regression where the truth is quadratic (Theorem 5.1).

    The truth is y = β₁ᵀx + (β₂ᵀx)² + ξ with x ~ N(0, σx² I_m) and ξ ~ N(0, σξ²). L is the
    model βᵀx, whose best β is β₁ and whose residual is η = (β₂ᵀx)² + ξ (less its mean with
    an intercept); Q is βᵀx + xᵀAx, which is the truth itself:

    - S(L) = ε² s² [(E|η|)² ‖φ(β₁)‖₂² / σx² + ‖β₁‖_q² (E sgn η)²], the second term only with
      an intercept, which takes part in the shift of η's sign;
    - S(Q) = ε² s² (2/π) σξ² aᵀ E[v vᵀ]⁻¹ a, a = E[J φ(∇_x f)] (Theorem 5.3, whose
      assumptions hold for Q).

    ∇_x f of Q depends on x through t = β₂ᵀx/‖β₂‖ alone, so that for every p both sides come
    down to integrals over one normal variable. Either side can be the larger; the
    conditions by which the paper tells them apart are not used, only both values.

    Parameters
    ----------
    beta1 : array (m,), not zero
    beta2 : array (m,)
    sigma_x, sigma_noise : float above 0
        σx in units of x, σξ in units of y.
    eps : float, default 1
        1 gives S/ε².
    p : float in [1, inf], default 2
        The attack's norm.
    fit_intercept : bool, default False
        Whether both models have an intercept.
    mean_norm : float, optional
        s; by default E‖x‖_p, which is known here for p = 1, 2 and ∞.

    Returns
    -------
    QuadraticVsLinear

    Raises
    ------
    ValueError
        Vectors of different lengths, β₁ = 0, scales that are not above 0, p < 1, or p
        other than 1, 2, ∞ without `mean_norm`.
    """
    b1 = nonzero(beta1, "beta1")
    b2 = vector(beta2, "beta2", b1.size)
    sd, noise = scale(sigma_x, "sigma_x"), scale(sigma_noise, "sigma_noise")
    p = validation.number(p, "p", low=1.0, infinite=True)
    radius = validation.number(eps, "eps", low=0.0)
    s = _mean_norm(b1.size, sd, p) if mean_norm is None else scale(mean_norm, "mean_norm")
    spread = sd * float(np.linalg.norm(b2))
    linear, linear_error = _linear_side(b1, spread, sd, noise, p, fit_intercept)
    quadratic, quadratic_error = _quadratic_side(b1, b2, sd, p, fit_intercept)
    factor = square(radius * s)
    share = factor * 2.0 / np.pi * square(noise)
    found = factor * linear, share * quadratic, factor * linear_error, share * quadratic_error
    return QuadraticVsLinear(*(like(0.0, value) for value in found))


def _mean_norm(m: int, sd: float, p: float) -> float:
    """E‖x‖_p of a normal vector."""
    if p == 2:
        return float(gaussian_mean_norm(m, sd))
    if p == 1:
        return m * sd * float(np.sqrt(2.0 / np.pi))
    if not np.isinf(p):
        raise ValueError(f"p = {p:g} needs mean_norm: E‖x‖_p is known for p = 1, 2 and inf only")
    from scipy.integrate import quad
    from scipy.special import erf

    # 1 − P(max|z| ≤ u) without cancellation far out, where it is all that is left.
    tail, _ = quad(lambda u: 1.0 - erf(u / np.sqrt(2.0)) ** m, 0.0, 3 * _REACH, epsabs=1e-13)
    return sd * float(tail)


def _linear_side(
    b1: Array, spread: float, sd: float, noise: float, p: float, fit_intercept: bool
) -> tuple[float, float]:
    """S(L) / (ε s)² and its error; `spread` is the standard deviation of β₂ᵀx, σx‖β₂‖."""
    center = 1.0 if fit_intercept else 0.0

    def of_residual(z: float) -> Array:
        return _folded_normal(spread**2 * (z * z - center), noise)  # η given β₂ᵀx = spread z

    means, error = _expectation(of_residual, [-1.0, 0.0, 1.0])
    size, side = (float(mean) for mean in means)
    share = float(np.sum(dual_direction(b1, p) ** 2)) / sd**2
    pull = float(lp_norm(b1, conjugate(p))) ** 2 if fit_intercept else 0.0
    value = share * size**2 + pull * side**2
    return value, 2.0 * (share * size + pull * abs(side)) * error


def _folded_normal(mean: float, sd: float) -> Array:
    """E|η| and E sgn η for η ~ N(mean, sd²)."""
    from scipy.special import erf

    u = mean / (np.sqrt(2.0) * sd)
    side = erf(u)
    return np.array([sd * np.sqrt(2.0 / np.pi) * np.exp(-u * u) + mean * side, side])


def _quadratic_side(
    b1: Array, b2: Array, sd: float, p: float, fit_intercept: bool
) -> tuple[float, float]:
    """aᵀ E[v vᵀ]⁻¹ a and its error.

    a's linear part is E φ; against the coefficients of xᵀBx it is ⟨B, M⟩ with
    M = e wᵀ + w eᵀ, e = β₂/‖β₂‖, w = E[t φ]. With E (xᵀBx)² = σx⁴ (2‖B‖² + (tr B)²) the
    part of M is (‖M‖² − (tr M)²/(m+2)) / (2σx⁴); an intercept takes (tr B)² away, and with
    it the second term.
    """
    size = float(np.linalg.norm(b2))
    e = b2 / size if size > 0 else np.zeros_like(b2)
    slope = 2.0 * size**2 * e  # ∇_x f = β₁ + slope t

    def of_direction(z: float) -> Array:
        direction = dual_direction(b1 + slope * (sd * z), p)
        return np.concatenate([direction, sd * z * direction])

    moments, error = _expectation(of_direction, _kinks(b1, sd * slope, p))
    mean, w = np.split(moments, 2)
    along = float(e @ w)
    trace_share = 0.0 if fit_intercept else 2.0 / (b1.size + 2.0)
    products = float(w @ w) + (1.0 - trace_share) * along**2 if size > 0 else 0.0
    sensitive = 2.0 * np.linalg.norm(mean) / sd**2 + 4.0 * np.linalg.norm(w) / sd**4
    return float(mean @ mean) / sd**2 + products / sd**4, float(sensitive) * error


def _kinks(b1: Array, slope: Array, p: float) -> list[float]:
    """Where φ(β₁ + slope z) has kinks or jumps, or (p = 2) turns fastest."""
    with np.errstate(divide="ignore", invalid="ignore"):
        signs = -b1 / slope
        nearest = -(b1 @ slope) / (slope @ slope)
        pairs = [np.array([signs, signs]).T]
        if p == 1:  # the largest entry changes
            j, k = np.array(list(combinations(range(b1.size), 2)) or [(0, 0)]).T
            ties = [-(b1[j] + o * b1[k]) / (slope[j] + o * slope[k]) for o in (-1.0, 1.0)]
            pairs.append(np.array(ties).T)
    places = np.concatenate([np.ravel(part) for part in pairs] + [[nearest]])
    return sorted({float(z) for z in places if np.isfinite(z)})


def _expectation(of: Callable[[float], Array], breaks: list[float]) -> tuple[Array, float]:
    """E of a vector function of a standard normal z by quadrature, and its error."""
    from scipy.integrate import quad_vec

    def weighted(z: float) -> Array:
        return of(z) * (np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    points = [z for z in {0.0, *breaks} if -_REACH < z < _REACH]
    value, error = quad_vec(
        weighted, -_REACH, _REACH, epsabs=_TOLERANCE, epsrel=_TOLERANCE, points=points
    )
    return value, float(error)
