"""Repeated rows of fixed centers are one function, with the influence of a row of weight 2."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("copies", [1, 2])
def test_a_repeated_row_is_a_row_of_more_weight(copies, p):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    again = np.r_[np.arange(20), [3] * copies, 7]
    kernel = {"kernel": fa.kernels.RBF(), "alpha": 0.1, "penalty": "rkhs", "centers": "fixed"}
    w = np.bincount(again).astype(float)
    once = fa.KernelRegression(**kernel).fit(X, y, w)
    twice = fa.KernelRegression(**kernel).fit(X[again], y[again])
    np.testing.assert_allclose(twice.predict(X), once.predict(X), atol=1e-12)
    wanted = fa.aif(once, X, y, p=p, sample_weight=w, radius=1.0)
    for damping in (0.0, "auto"):
        found = fa.aif(twice, X[again], y[again], p=p, radius=1.0, damping=damping)
        assert found.sensitivity_coefficient == pytest.approx(
            wanted.sensitivity_coefficient, rel=1e-10
        )
        shares = found.influence  # of the function, split between equal centers
        np.testing.assert_allclose(
            np.bincount(again, shares), wanted.influence, rtol=1e-8,
            atol=1e-10 * np.abs(wanted.influence).max(),
        )  # fmt: skip
