"""Features of bases, their gradients and moves: C against Numba, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from support.operations import BASES, both, make_basis

pytestmark = pytest.mark.every  # milliseconds each, and a shape of one row tells little


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (13, 4), (70, 9)])
def test_features_gradients_and_moves(extension, rng, kind, n, m):
    basis, d = make_basis(rng, kind, m, False)
    u, p, beta = rng.normal(size=(m, n)), rng.normal(size=(m, n)), rng.normal(size=d)
    cases = {
        "basis_features": ((d, n), ()),
        "basis_gradients": ((m, n), (beta,)),
        "basis_moves": ((d, n), (p,)),
    }
    for name, (shape, arguments) in cases.items():
        found = []
        for operation in both(extension, name):
            out = np.empty(shape)
            operation(u, basis, *arguments, out)
            found.append(out)
        np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)
