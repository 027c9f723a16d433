"""The sensitivities that section 5 derives for whole populations, without any data.

Everywhere S is eq. 4's ½ ε² IᵀHI on the population of the fit; the loss is (f − y)², without
the factor ½, which would halve every S; and models have no intercept unless it says so. A
sample of n adds terms of order 1/n, which grow with the number of parameters.
"""

from __future__ import annotations

from ._basis import BasisMoments, basis_moments, basis_sensitivity, basis_sensitivity_bound
from ._linear import (
    gaussian_mean_norm,
    linear_sensitivity,
    random_effects_sensitivity,
    smoothing_ratio,
)
from ._quadratic import QuadraticVsLinear, quadratic_vs_linear

__all__ = [
    "BasisMoments",
    "QuadraticVsLinear",
    "basis_moments",
    "basis_sensitivity",
    "basis_sensitivity_bound",
    "gaussian_mean_norm",
    "linear_sensitivity",
    "quadratic_vs_linear",
    "random_effects_sensitivity",
    "smoothing_ratio",
]
