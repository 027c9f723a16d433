"""The negative binomial loss with a log link: counts that scatter more than Poisson's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .log_link import LogLinkLoss, exp_gap
from .one_parameter import OneParameterLoss

Array = NDArray[Any]


@dataclass(frozen=True)
class NegativeBinomial(LogLinkLoss, OneParameterLoss):
    """(y + 1/a) log(1 + a exp(f)) − y f, the negative log likelihood of counts up to a constant.

    Parameters
    ----------
    dispersion : float, default 1.0
        a > 0: the variance is μ + a μ² at the mean μ. As a → 0 the loss becomes Poisson's.

    Raises
    ------
    TypeError, ValueError
        a is not a number, or not above zero.
    """

    dispersion: float = 1.0

    name = "negative_binomial"
    field = "dispersion"
    code = 6

    def _parts(self, f: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """t = f + log a, y + 1/a, and the shares 1/(1 + exp(∓t)).

        Beyond t = 0 ℓ is f/a + (y + 1/a) log(1 + exp(−t)) up to a constant: y f would cancel.
        """
        from scipy.special import expit

        t = f + np.log(self.dispersion)
        return t, y + 1.0 / self.dispersion, expit(t), expit(-t)

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        t, count, _, _ = self._parts(f, y)
        beyond = y * np.log(self.dispersion) + t / self.dispersion
        return count * np.log1p(np.exp(-np.abs(t))) + np.where(t > 0.0, beyond, -y * f)

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise: (exp(f) − y)/(1 + a exp(f))."""
        _, _, share, rest = self._parts(f, y)
        small = np.exp(-np.abs(f))
        beyond = (1.0 - y * small) * (share / self.dispersion)
        return np.where(f > 0.0, beyond, (small - y) * rest)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        _, count, share, rest = self._parts(f, y)
        return np.asarray(count * share * rest)

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        t, count, share, rest = self._parts(f, y)
        short = np.clip(step, -1.0, 1.0)
        below = count * np.log1p(share * np.expm1(short)) - y * short
        beyond = count * np.log1p(rest * np.expm1(-short)) + short / self.dispersion
        near = np.where(t > 0.0, beyond, below)
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0."""
        t, count, _, _ = self._parts(f, y)
        gap = count * _softplus_gap(-np.abs(t), kappa)
        return np.where(t > 0.0, 1.0 / self.dispersion - gap, gap - y)

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        count = y + 1.0 / self.dispersion
        share, rest = (slope + y) / count, (1.0 / self.dispersion - slope) / count
        parts = xlogy(share, share / self.dispersion) + xlogy(rest, rest)
        return np.where((share >= 0.0) & (rest >= 0.0), count * parts, np.inf)


def _softplus_gap(t: Array, kappa: float) -> Array:
    """(log(1 + exp(t + κ)) − log(1 + exp(t − κ))) / 2κ for t ≤ 0, to all its digits."""
    if kappa > 1.0:
        return (np.logaddexp(0.0, t + kappa) - np.logaddexp(0.0, t - kappa)) / (2.0 * kappa)
    slope = exp_gap(1.0, t, kappa) / (1.0 + np.exp(t - kappa))
    return slope if kappa < 1e-150 else np.log1p(2.0 * kappa * slope) / (2.0 * kappa)
