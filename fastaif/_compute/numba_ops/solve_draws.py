"""Cholesky solves of many small systems, one a draw."""

from __future__ import annotations

import math

import numpy as np

from .jit import FAST, STRICT, operation


@operation(fastmath=FAST)
def _dot(a, b):
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    return total


@operation(fastmath=STRICT)
def factor_one(matrix, scale):
    """L of the unit-diagonal S⁻¹HS⁻¹ in the lower triangle; its least pivot, 0 where none."""
    d = matrix.shape[0]
    for j in range(d):
        if not matrix[j, j] > 0.0:  # so that NaN fails
            return 0.0
        scale[j] = math.sqrt(matrix[j, j])
    least = 1.0
    for j in range(d):
        for k in range(j):
            entry = matrix[j, k] / (scale[j] * scale[k])
            matrix[j, k] = (entry - _dot(matrix[j, :k], matrix[k, :k])) / matrix[k, k]
        pivot = 1.0 - _dot(matrix[j, :j], matrix[j, :j])
        if not pivot > 0.0:
            return 0.0
        least = min(least, pivot)
        matrix[j, j] = math.sqrt(pivot)
    return least


@operation(fastmath=STRICT)
def solve_one(lower, scale, x):
    """x becomes H⁻¹x, by that L and scale."""
    d = x.size
    for j in range(d):
        x[j] = (x[j] / scale[j] - _dot(lower[j, :j], x[:j])) / lower[j, j]
    for j in range(d - 1, -1, -1):
        x[j] /= lower[j, j]
        for k in range(j):
            x[k] -= lower[j, k] * x[j]
    for j in range(d):
        x[j] /= scale[j]


@operation(fastmath=STRICT)
def solve_draws(matrices, vectors, pivots):
    """Solve H_b x = v_b for every draw.

    Parameters
    ----------
    matrices : array (k, d, d)
        Lower triangles are read, and overwritten.
    vectors : array (k, d)
        Right sides, replaced by the solutions; not where the pivot is 0.
    pivots : array (k,)
        Written: the least pivot of H_b scaled to a unit diagonal, in (0, 1]; 0 where H_b is not
        positive definite.
    """
    d = vectors.shape[1]
    scale = np.empty(d)
    for b in range(vectors.shape[0]):
        lower, x = matrices[b], vectors[b]
        pivots[b] = factor_one(lower, scale)
        if pivots[b] == 0.0:
            continue
        solve_one(lower, scale, x)
