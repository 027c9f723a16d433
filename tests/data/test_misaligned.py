"""Arrays that begin between the addresses of their numbers, as views of files and messages do."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa
from fastaif import _compute


def misaligned(array):
    memory = np.zeros(array.nbytes + 1, dtype=np.uint8)
    out = memory[1:].view(array.dtype).reshape(array.shape)
    out[...] = array
    assert not out.flags.aligned
    return out


MODELS = {
    "linear": lambda: fa.LinearRegression(),
    "quadratic": lambda: fa.QuadraticRegression(alpha=0.1),
    "kernel": lambda: fa.KernelRegression(alpha=0.1),
    "network": lambda: fa.MLPRegression(2, alpha=0.1, random_state=0),
}


@pytest.mark.parametrize("backend", ["numba", "native"])
@pytest.mark.parametrize("name", MODELS)
def test_influences(name, backend, rng):
    if backend == "native" and not _compute.native_available():
        pytest.skip("the C extension was not built")
    X, w = rng.normal(size=(60, 3)), rng.uniform(0.5, 1.5, 60)
    y = X @ [1.0, -0.5, 0.2] + rng.normal(size=60)
    model = MODELS[name]().fit(X, y, sample_weight=w)
    before = _compute.chosen_backend()
    _compute.set_backend(backend)
    try:
        right = fa.aif(model, X, y, sample_weight=w)
        mine = fa.aif(model, misaligned(X), misaligned(y), sample_weight=misaligned(w))
    finally:
        _compute.set_backend(before)
    np.testing.assert_array_equal(mine.influence, right.influence)
