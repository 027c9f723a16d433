"""What the closed forms accept, and the shapes that they return."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils import validation

Array = NDArray[Any]


def scale(value: Any, name: str) -> float:
    """A standard deviation: finite and above 0."""
    return validation.number(value, name, low=0.0, strict=True)


def counts(value: Any, name: str) -> Array:
    """Integers of at least 1, as floats; a scalar or an array."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.size == 0 or np.any(array < 1):
        raise ValueError(f"{name} must hold integers of at least 1, but is {value!r}")
    return array.astype(float)


def vector(value: Any, name: str, size: int | None = None) -> Array:
    """A finite vector, of `size` entries if that is given."""
    array = np.atleast_1d(np.asarray(value))
    if array.dtype.kind not in "uif":
        raise TypeError(f"{name} must hold real numbers, but its type is {array.dtype}")
    if array.ndim != 1 or array.size == 0 or (size is not None and array.size != size):
        wanted = "(m,)" if size is None else f"({size},)"
        raise ValueError(f"{name} must have shape {wanted}, but has {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN or infinity")
    return array.astype(float)


def nonzero(value: Any, name: str, size: int | None = None) -> Array:
    """A finite vector that is not all zero: at zero no attack has a direction."""
    array = vector(value, name, size)
    if not array.any():
        raise ValueError(f"{name} is zero in every entry: the attack has no direction")
    return array


def nonnegative(value: Any, name: str) -> Array:
    """Finite numbers of at least 0: a scalar or an array."""
    array = np.asarray(value)
    if array.dtype.kind not in "uif":
        raise TypeError(f"{name} must hold real numbers, but is {value!r}")
    if not np.isfinite(array).all() or np.any(array < 0):
        raise ValueError(f"{name} must be finite and at least 0, but is {value!r}")
    return array.astype(float)


def like(argument: Any, values: Any) -> Any:
    """A float where the argument was a scalar, an array where it was one.

    Raises
    ------
    OverflowError
        Some value is beyond what a float holds.
    """
    if not np.isfinite(values).all():
        raise OverflowError("the result is beyond floating-point numbers: use other units")
    return float(values) if np.ndim(argument) == 0 else np.asarray(values)


def times(eps: Any, coefficient: float) -> Any:
    """ε² times S/ε², shaped like `eps`."""
    with np.errstate(over="ignore", invalid="ignore"):
        return like(eps, validation.radii(eps) ** 2 * coefficient)


def square(value: float) -> float:
    """value², or infinity."""
    with np.errstate(over="ignore"):
        return float(np.float64(value) ** 2)
