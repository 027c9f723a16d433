"""Tiles of kernels in C against their Numba version, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from support import kernel_makers
from support.operations import both, relative_close

from fastaif._compute import types as c

KERNELS = {name: make().compiled() for name, (make, _) in kernel_makers.KERNELS.items()} | {
    "not quite linear": c.Kernel(c.POLYNOMIAL, 1, 0.5, 0.3, 1),
    "polynomial": c.Kernel(c.POLYNOMIAL, 6, 0.5, 0.3, 1),
    "ntk, output layer": c.Kernel(c.NTK, 1, 1.0, 0.0, 1),
    "ntk, deep": c.Kernel(c.NTK, 4, 1.0, 0.0, 1),
    "ntk, deep, hidden layers": c.Kernel(c.NTK, 4, 1.0, 0.0, 0),
}


SHAPES = [(1, 1, 1), (5, 7, 3), (9, 300, 10), (4, 261, 1)]  # rows, columns and inputs


@pytest.mark.every
@pytest.mark.parametrize("with_slopes", [True, False])
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_tiles(extension, rng, name, with_slopes):
    """The same samples, near, far, parallel and opposite ones, in rows that are longer."""
    tolerance = 1e-9 if KERNELS[name].kind == c.NTK else 1e-12
    for shape in SHAPES:
        tile = points(rng, *shape)
        (kinks, *mine), (their_kinks, *theirs) = (
            filled(operation, name, *tile, with_slopes)
            for operation in both(extension, "kernel_tile")
        )
        assert kinks == their_kinks
        relative_close(mine[0], theirs[0], 1e-12)
        relative_close(mine[1], theirs[1], tolerance)


def points(rng, k, n, m):
    """X (k, m), Z (n, m), and where in Z the first row of X stands again."""
    Z = rng.normal(size=(n, m)) * 10.0 ** rng.uniform(-1, 1, n)[:, None]
    offset = min(2, n - 1)
    X = rng.normal(size=(k, m))
    X[: n - offset] = Z[offset : offset + k]
    if n > 6:
        Z[0], Z[1] = -2.0 * X[0], X[0] * (1 + 1e-9)
    return X, Z, offset


def filled(operation, name, X, Z, offset, with_slopes):
    """Kinks, values and slopes of a tile."""
    k, n = len(X), len(Z)
    squares = [np.einsum("ij,ij->i", part, part) for part in (X, Z)]
    values = np.full((k, n + 3), 0.5)
    values[:, :n] = X @ Z.T
    slopes = np.full((k, n + 5), 0.25) if with_slopes else np.empty((0, 0))
    kinks = operation(KERNELS[name], X, Z, *squares, offset, values, slopes)
    return kinks, values, slopes
