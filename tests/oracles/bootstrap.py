"""The Bayesian bootstrap, a draw at a time: keyed weights, a fit of its own, its influence."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import linear
from .norms import Array

_PURPOSE = 8


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 of Salmon, Moraes, Dror and Shaw (2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (second >> 32) ^ c[1] ^ k[0],
            second & 0xFFFFFFFF,
            (first >> 32) ^ c[3] ^ k[1],
            first & 0xFFFFFFFF,
        ]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def weights(seed: int, draw: int, n: int) -> Array:
    """Standard exponential numbers: -log u of 32 bits, four rows to a counter."""
    key = [seed & 0xFFFFFFFF, (seed >> 32) ^ _PURPOSE]
    words: list[int] = []
    for four in range((n + 3) // 4):
        words += philox([four & 0xFFFFFFFF, four >> 32, 0, draw], key)
    return -np.log((np.array(words[:n], dtype=float) + 0.5) * 2.0**-32)


def draws(
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    factors: list[Array],
    *,
    sample_weight: npt.ArrayLike | None = None,
    fit: dict[str, Any],
    attack: dict[str, Any],
) -> tuple[Array, Array, Array]:
    """theta, I and S/eps^2 of the draws with these factors on the sample weights."""
    base = np.ones(len(factors[0])) if sample_weight is None else np.asarray(sample_weight)
    found = []
    for g in factors:
        theta = linear.natural_fit(X, y, sample_weight=base * g, **fit)
        one = linear.influence(X, y, theta, sample_weight=base * g, **fit, **attack)
        moved = one["influence"]
        found.append((theta, moved, 0.5 * moved @ one["hessian_eval"] @ moved))
    return tuple(np.array(part) for part in zip(*found, strict=True))  # type: ignore[return-value]
