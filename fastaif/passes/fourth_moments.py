"""Where the entries of a quadratic model's Hessian stand among its fourth moments.

`_compute/quadratic_moments.py` says what they are, and in which order.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._compute.types import MOMENT_GROUP

Array = NDArray[Any]


def _group_starts(m: int) -> Array:
    return np.arange(0, m + 1, MOMENT_GROUP)


def _row_of_pairs(r: Array, m: int) -> Array:
    """The place of the pair (r, r) among pairs ordered by their smaller index, from 0 to m."""
    return r * (m + 1) - r * (r - 1) // 2


@functools.lru_cache(maxsize=8)
def _offsets(m: int) -> tuple[Array, Array]:
    """Of each group: where its product begins, and how many columns it has; then the size."""
    starts = _group_starts(m)
    stops = np.minimum(starts + MOMENT_GROUP, m + 1)
    columns = _row_of_pairs(stops, m) - _row_of_pairs(starts, m)
    sizes = stops * (stops + 1) // 2 * columns
    return np.concatenate([[0], np.cumsum(sizes)]), columns


def n_moments(m: int) -> int:
    """How many numbers `quadratic_moments` adds to for m inputs."""
    return int(_offsets(m)[0][-1])


@functools.lru_cache(maxsize=4)
def places(m: int) -> Array:
    """The place of each entry of E ℓ'' v vᵀ among the moments, shape (d, d)."""
    i, j = np.triu_indices(m)
    pairs = np.concatenate([[np.zeros(m, int), np.arange(m) + 1], [i + 1, j + 1]], axis=1).T
    offsets, columns = _offsets(m)
    out = np.empty((len(pairs), len(pairs)), dtype=np.int32)
    for row, pair in enumerate(pairs):
        p, q, r, s = np.sort(np.column_stack([np.tile(pair, (len(pairs), 1)), pairs]), axis=1).T
        group = r // MOMENT_GROUP
        left, right = q * (q + 1) // 2 + p, _row_of_pairs(r, m) + s - r
        first = _row_of_pairs(group * MOMENT_GROUP, m)
        out[row] = offsets[group] + left * columns[group] + right - first
    return out


def expanded(moments: Array, d: int) -> Array:
    """The sums Σ w ℓ'' v vᵀ, (d, d), of quadratic features v of length d."""
    m = int(np.sqrt(2 * d + 2.25) - 1.5 + 0.5)  # d = m (m + 3) / 2
    return np.asarray(moments[places(m)])
