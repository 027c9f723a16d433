"""Activations σ of hidden layers, with their first two derivatives.

Derivatives keep their digits where σ saturates: none is a difference of numbers near one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._compute import types as c

Array = NDArray[Any]


class Bends(NamedTuple):
    """σ(z), σ'(z) and σ''(z), each of z's shape."""

    value: Array
    slope: Array
    bend: Array


class Activation(NamedTuple):
    """A function of each entry.

    Attributes
    ----------
    at : callable
        From z to its `Bends`.
    steepest, most_bent : float
        The largest |σ'| and |σ''|.
    code : int
        What compiled operations know it by.
    has_kinks : bool
        Whether σ' jumps at z = 0.
    """

    at: Callable[[Array], Bends]
    steepest: float
    most_bent: float
    code: int
    has_kinks: bool = False


def _tanh(z: Array) -> Bends:
    e = np.exp(-2.0 * np.abs(z))
    value = np.tanh(z)
    slope = 4.0 * e / (1.0 + e) ** 2
    return Bends(value, slope, -2.0 * value * slope)


def _logistic(z: Array) -> Bends:
    from scipy.special import expit

    value, rest = expit(z), expit(-z)
    slope = value * rest
    return Bends(value, slope, slope * -np.tanh(0.5 * z))


def _softplus(z: Array) -> Bends:
    from scipy.special import expit

    value, rest = expit(z), expit(-z)
    return Bends(np.logaddexp(0.0, z), value, value * rest)


def _gelu(z: Array) -> Bends:
    from scipy.special import ndtr

    share = ndtr(z)
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return Bends(z * share, share + z * density, density * (2.0 - z * z))


def _relu(z: Array) -> Bends:
    slope = (z > 0.0).astype(float)
    return Bends(slope * z, slope, np.zeros_like(z))


def _identity(z: Array) -> Bends:
    return Bends(z, np.ones_like(z), np.zeros_like(z))


_SQRT_PI = np.pi**0.5
_GELU_STEEPEST = float(_gelu(np.array(2.0**0.5)).slope)  # where σ'' changes sign

ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(_tanh, 1.0, 4.0 / 27.0**0.5, c.TANH),
    "logistic": Activation(_logistic, 0.25, 0.5 / 27.0**0.5, c.SIGMOID),
    "softplus": Activation(_softplus, 1.0, 0.25, c.SOFTPLUS),
    "gelu": Activation(_gelu, _GELU_STEEPEST, 2.0**0.5 / _SQRT_PI, c.GELU),
    "relu": Activation(_relu, 1.0, 0.0, c.RELU, has_kinks=True),
    "identity": Activation(_identity, 1.0, 0.0, c.IDENTITY),
}
