"""Contractions of tiles of a kernel in C against Numba, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import both, relative_close

pytestmark = pytest.mark.every  # milliseconds each, and a shape of one row tells little


@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 17), (8, 40)])
def test_kernel_contractions(extension, rng, k, n):
    slopes, values = rng.normal(size=(k, n + 9)), rng.normal(size=(k, n + 4))
    left, right, shifts = rng.normal(size=(k, 2)), rng.normal(size=(2, n)), rng.normal(size=(k, 2))
    start = rng.normal(size=(k, n))
    weighted, directed, summed = [], [], []
    for operation in both(extension, "weighted_slopes"):
        tile, sums = np.empty((k, n)), np.empty((k, 2))
        operation(slopes, values, 2, left, right, tile, sums)
        weighted.append(np.concatenate([tile.ravel(), sums.ravel()]))
    for operation in both(extension, "directional_tile"):
        tile = start.copy()
        operation(slopes, values, 3, shifts, tile)
        directed.append(tile)
    for operation in both(extension, "directional_sums"):
        rows, columns = np.ones((k, 2)), np.ones((2, n))
        operation(start, right, left, rows, columns)
        summed.append(np.concatenate([rows.ravel(), columns.ravel()]))
    for mine, theirs in (weighted, directed, summed):
        relative_close(mine, theirs)


@pytest.mark.parametrize(("start", "count", "n"), [(0, 5, 5), (30, 41, 90), (64, 1, 65)])
def test_mirror(extension, rng, start, count, n):
    rows, found = rng.normal(size=(count, n)), []
    for operation in both(extension, "mirror"):
        out = np.zeros((n, n + 2))
        operation(rows, start, out)
        found.append(out)
    np.testing.assert_array_equal(*found)
