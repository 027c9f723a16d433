"""Generated data, the same for one (n, m) and seed, and the sizes that are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Size = tuple[int, int]

FULL_SIZES: tuple[Size, ...] = (
    (1_000_000, 16),
    (1_000_000, 64),
    (500_000, 100),
    (500_000, 128),
    (300_000, 256),
    (100_000, 512),
)
QUICK_SIZES: tuple[Size, ...] = ((100_000, 16), (20_000, 64), (5_000, 256))
QUADRATIC_SIZES: tuple[Size, ...] = ((100_000, 32), (1_000_000, 8), (300_000, 16))
QUADRATIC_QUICK_SIZES: tuple[Size, ...] = ((5_000, 32), (50_000, 8), (10_000, 16))


def logistic(n: int, m: int, seed: int = 0) -> tuple[Array, Array]:
    """X (n, m), standard normal in C order, and y (n,) = +-1 from a logistic model.

    The linear predictor has a standard deviation of about 1, so that the classes overlap and a
    fit exists. Labels of +-1 spare the peers the mapping that fastaif does itself.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m))
    beta = rng.standard_normal(m) / np.sqrt(m)
    probability = 1.0 / (1.0 + np.exp(-(X @ beta + 0.25)))
    return X, np.where(rng.random(n) < probability, 1.0, -1.0)


def linear_predictor(n: int, m: int, loss: str, seed: int = 0) -> tuple[Array, Array]:
    """X (n, m), standard normal, and targets of a linear model with that loss."""
    if loss == "logistic":
        return logistic(n, m, seed)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m))
    f = X @ (rng.standard_normal(m) / np.sqrt(m))
    return X, rng.poisson(np.exp(0.5 * f)) * 1.0 if loss == "poisson" else f + rng.normal(size=n)


def quadratic(n: int, m: int, seed: int = 0) -> tuple[Array, Array]:
    """X (n, m), standard normal, and y = <b1, x> + <b2, x>^2 + noise, each of order one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m))
    b1, b2 = rng.standard_normal((2, m)) / np.sqrt(m)
    return X, X @ b1 + (X @ b2) ** 2 + rng.standard_normal(n)
