"""A quadratic model never holds its design matrix."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import resource
import numpy as np
import fastaif as fa

def peak():
    scale = 1e6 if __import__("sys").platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale  # MB

rng = np.random.default_rng(0)
n, m = 100_000, 32
X = rng.normal(size=(n, m))
y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=n)
fa.aif(fa.QuadraticRegression(0.1).fit(X[:2000], y[:2000]), X[:2000], y[:2000])  # code and BLAS
before = peak()
model = fa.QuadraticRegression(0.1).fit(X, y)
fitted = peak()
fa.aif(model, X, y).sensitivity(0.01)
print(fitted - before, peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is Unix's")
def test_quadratic_fit_of_100_000_rows_and_528_products():
    """The design matrix alone would be 448 MB."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True
    )
    fit, influence = map(float, child.stdout.split())
    assert fit < 100.0
    assert influence < 100.0
