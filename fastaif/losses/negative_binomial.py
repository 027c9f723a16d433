"""The negative binomial loss with a log link: counts that scatter more than Poisson's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .log_link import LogLinkLoss
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

    def _parts(self, f: Array, y: Array) -> tuple[Array, Array]:
        """f + log a, and y + 1/a."""
        return f + np.log(self.dispersion), y + 1.0 / self.dispersion

    def value(self, f: Array, y: Array) -> Array:
        """ℓ(f, y), elementwise."""
        t, count = self._parts(f, y)
        return count * np.logaddexp(0.0, t) - y * f

    def slope(self, f: Array, y: Array) -> Array:
        """ℓ'(f, y), elementwise."""
        from scipy.special import expit

        t, count = self._parts(f, y)
        return np.asarray(count * expit(t) - y)

    def curvature(self, f: Array, y: Array) -> Array:
        """ℓ''(f, y), elementwise."""
        from scipy.special import expit

        t, count = self._parts(f, y)
        return np.asarray(count * expit(t) * expit(-t))

    @np.errstate(over="ignore", invalid="ignore")
    def change(self, f: Array, step: Array, y: Array) -> Array:
        """ℓ(f + step, y) − ℓ(f, y), to the digits of the step however small it is."""
        from scipy.special import expit

        t, count = self._parts(f, y)
        short = np.clip(step, -1.0, 1.0)
        near = count * np.log1p(expit(t) * np.expm1(short)) - y * short
        return np.where(short == step, near, self.value(f + step, y) - self.value(f, y))

    @np.errstate(over="ignore", invalid="ignore")
    def end_gap(self, f: Array, y: Array, kappa: float) -> Array:
        """(ℓ(f + κ) − ℓ(f − κ)) / 2κ without cancellation; ℓ'(f) at κ = 0.

        With T = tanh(½(f + log a)) the logarithms differ by κ + 2 artanh(T tanh ½κ).
        """
        t, count = self._parts(f, y)
        if kappa > 1.0:
            rise = np.logaddexp(0.0, t + kappa) - np.logaddexp(0.0, t - kappa)
            return count * (rise / (2.0 * kappa)) - y
        tilt = np.tanh(0.5 * t)
        small = kappa <= 1e-150
        rise = 0.5 * tilt if small else np.arctanh(tilt * np.tanh(0.5 * kappa)) / kappa
        return count * (0.5 + rise) - y

    @np.errstate(divide="ignore", invalid="ignore")
    def conjugate(self, slope: Array, y: Array) -> Array:
        """sup_f slope · f − ℓ(f, y), elementwise; ∞ where that is unbounded."""
        from scipy.special import xlogy

        count = y + 1.0 / self.dispersion
        share, rest = (slope + y) / count, (1.0 / self.dispersion - slope) / count
        parts = xlogy(share, share / self.dispersion) + xlogy(rest, rest)
        return np.where((share >= 0.0) & (rest >= 0.0), count * parts, np.inf)
