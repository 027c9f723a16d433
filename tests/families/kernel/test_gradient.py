"""The objective's gradient beside its minimum, which tells how far from stationary a fit is."""

from __future__ import annotations

import numpy as np
import pytest

import fastaif as fa


@pytest.mark.parametrize("penalty", ["l2", "rkhs"])
@pytest.mark.parametrize("centers", ["moving", "fixed"])
@pytest.mark.filterwarnings("ignore::fastaif.InfluenceWarning")
def test_gradient_is_that_of_the_objective(rng, penalty, centers):
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    w, kernel, alpha = rng.uniform(0.5, 2.0, size=20), fa.kernels.RBF(0.5), 0.05
    options = {"alpha": alpha, "penalty": penalty, "centers": centers}
    model = fa.KernelRegression(kernel, **options).fit(X, y, w)
    model.dual_coef_ = model.dual_coef_ + 0.1 * rng.normal(size=20)
    problem = fa.aif(model, X, y, sample_weight=w).problem
    K, theta, omega = kernel(X), model.dual_coef_, w / w.sum()
    pulled = 2.0 * alpha * (theta if penalty == "l2" else K @ theta)
    wanted = 2.0 * K @ (omega * (K @ theta - y)) + pulled
    np.testing.assert_allclose(problem.gradient, wanted, rtol=1e-9, atol=1e-11)
