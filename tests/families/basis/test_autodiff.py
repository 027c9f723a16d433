"""The mixed derivative and the Hessian of basis models against automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest
from support.basis_makers import estimator, known_to_twin, make, params_of
from support.makers import assert_close

import fastaif as fa

pytest.importorskip("jax", reason="JAX is not installed")

# A basis, its degree, and an attack: differentiating is slow, so not every one with every loss.
CASES = {
    "quadratic": (0, {"p": 1.0}),
    "powers 3": (3, {"p": 2.0, "radius": 0.7}),
    "fourier": (0, {"p": np.inf, "feature_scale": np.array([1.0, 0.5, 0.0])}),
}


@pytest.mark.long
@pytest.mark.parametrize(("name", "kind"), [
    ("quadratic", "logistic"), ("powers 3", "poisson"), ("fourier", "huber"),
])  # fmt: skip
def test_derivatives(name, kind):
    from oracles.basis_autodiff import jax_features, mixed_and_hessian

    degree, attack = CASES[name]
    X, y, w = make(kind, n=40, weighted=True)
    model = estimator(name, kind, 0.03).fit(X, y, w)
    theta = params_of(model)
    # Of the quadratic model only the coefficients of x_j x_k are penalised, never an intercept.
    penalised = np.append(np.ones(len(theta) - 1), 0.0)
    penalised[: 3 if name == "quadratic" else 0] = 0.0
    result = fa.aif(model, X, y, sample_weight=w, **attack)
    drawn = {}
    if name == "fourier":
        drawn = {"frequencies": model.basis_.frequencies, "phases": model.basis_.phases}
    mixed, hessian = mixed_and_hessian(
        jax_features(name.split()[0], degree, **drawn), X, y, theta, penalised=penalised,
        sample_weight=w, **known_to_twin(kind, 0.03), **attack,
    )  # fmt: skip
    assert_close(result.mixed, mixed)
    assert_close(result.hessian, hessian)
    assert_close(result.influence, -np.linalg.solve(hessian, mixed))
