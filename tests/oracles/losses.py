"""Pointwise losses l(f, y) with their first two derivatives in the prediction f."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import norm

Array = npt.NDArray[np.float64]


def squared_error(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """(f - y)^2, without a factor of one half."""
    r = f - y
    return r**2, 2.0 * r, np.full_like(r, 2.0)


def logistic(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """log(1 + exp(-y f)) for labels y = -1 or +1."""
    margin = y * f
    # expit and logaddexp are exact in both tails, where 1 - expit(margin) would cancel.
    return np.logaddexp(0.0, -margin), -y * expit(-margin), expit(margin) * expit(-margin)


def poisson(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """exp(f) - y f: the Poisson negative log likelihood up to a constant."""
    mean = np.exp(f)
    return mean - y * f, mean - y, mean


def huber(f: Array, y: Array, delta: float) -> tuple[Array, Array, Array]:
    """Pseudo-Huber delta^2 (sqrt(1 + (r / delta)^2) - 1), r = f - y."""
    r = f - y
    root = np.hypot(1.0, r / delta)
    # delta^2 (root - 1) = r^2 / (root + 1): no cancellation at small residuals.
    return r * (r / (root + 1.0)), r / root, root**-3.0


def gamma(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """y exp(-f) + f."""
    ratio = y * np.exp(-f)
    return ratio + f, 1.0 - ratio, ratio


def tweedie(f: Array, y: Array, power: float) -> tuple[Array, Array, Array]:
    """exp((2 - power) f) / (2 - power) - y exp((1 - power) f) / (1 - power)."""
    up, down = np.exp((2.0 - power) * f), y * np.exp((1.0 - power) * f)
    value = up / (2.0 - power) - down / (1.0 - power)
    return value, up - down, (2.0 - power) * up - (1.0 - power) * down


def negative_binomial(f: Array, y: Array, a: float) -> tuple[Array, Array, Array]:
    """(y + 1/a) log(1 + a exp(f)) - y f; its slope is (exp(f) - y)/(1 + a exp(f))."""
    t, count = f + np.log(a), y + 1.0 / a
    wide, b = np.asarray(f, dtype=np.longdouble), np.longdouble(a)  # the terms cancel
    return (
        np.asarray((y + 1 / b) * np.logaddexp(0, wide + np.log(b)) - y * wide, dtype=float),
        (np.exp(f) - y) * expit(-t),
        count * expit(t) * expit(-t),
    )


def probit(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """-log Phi(y f); h (t + h) cancels far below, where it tends to one."""
    t = y * f
    h = np.exp(norm.logpdf(t) - norm.logcdf(t))
    return -norm.logcdf(t), -y * h, h * (t + h)


def cloglog(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """-log(1 - exp(-exp(f))) for y = +1, exp(f) for y = -1."""
    mean = np.exp(f)
    ratio = mean * np.exp(-mean) / -np.expm1(-mean)
    near = -np.log(-np.expm1(-mean)), -ratio, ratio * (mean + ratio - 1.0)
    return tuple(np.where(y > 0, part, mean) for part in near)


def squared_hinge(f: Array, y: Array) -> tuple[Array, Array, Array]:
    """max(0, 1 - y f)^2."""
    gap = np.maximum(1.0 - y * f, 0.0)
    return gap**2, -2.0 * y * gap, 2.0 * (gap > 0.0)


def expectile(f: Array, y: Array, tau: float) -> tuple[Array, Array, Array]:
    """|tau - 1(y < f)| (y - f)^2."""
    side = np.where(y < f, 1.0 - tau, tau)
    return side * (y - f) ** 2, 2.0 * side * (f - y), 2.0 * side


WITH_PARAMETER = {
    "huber": huber,
    "tweedie": tweedie,
    "negative_binomial": negative_binomial,
    "expectile": expectile,
}
OTHERS = {
    "squared_error": squared_error,
    "logistic": logistic,
    "poisson": poisson,
    "gamma": gamma,
    "probit": probit,
    "cloglog": cloglog,
    "squared_hinge": squared_hinge,
}


def loss(
    name: str, f: npt.ArrayLike, y: npt.ArrayLike, delta: float = 1.0
) -> tuple[Array, Array, Array]:
    """The loss of that name, elementwise: its value, first and second derivative in f."""
    f, y = np.broadcast_arrays(np.asarray(f, dtype=np.float64), np.asarray(y, dtype=np.float64))
    if name in WITH_PARAMETER:
        return WITH_PARAMETER[name](f, y, delta)
    return OTHERS[name](f, y)
