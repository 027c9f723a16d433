"""The sensitivities that section 5 derives for whole populations, without any data.

Everywhere S is eq. 4's ½ ε² IᵀHI on the population of the fit; the loss is (f − y)², without
the factor ½, which would halve every S; and models have no intercept unless it says so. A
sample of n adds terms of order 1/n, which grow with the number of parameters.
"""

from __future__ import annotations

from ._theorem_5_1 import QuadraticVsLinear, quadratic_vs_linear
from ._theorem_5_3 import BasisMoments, basis_moments, basis_sensitivity, basis_sensitivity_bound
from ._theorems_5_2_and_5_4 import (
    gaussian_mean_norm,
    linear_sensitivity,
    random_effects_sensitivity,
    smoothing_ratio,
)

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
